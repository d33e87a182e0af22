"""What a public dataset gives, row by row, whatever its form on disk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from fercli.core.results import Failure
from fercli.core.rows import LabelStatus, Split

FerplusMode = Literal["majority", "probability", "multi-target"]


@runtime_checkable
class Decode(Protocol):
    """Turns the bytes of a picture file into RGB "height width 3"; raises MediaError (`vision.images.decode_image`)."""

    def __call__(self, data: bytes, *, name: str) -> np.ndarray:
        """Decode `data`; `name` is what messages call it."""


@dataclass(frozen=True)
class SourceOptions:
    """What the reader of a dataset must know of the project.

    Attributes:
        emotions: the project's classes.
        aliases: other spellings of them.
        mode: how FERPlus' votes become a label.
        votes: FERPlus' fer2013new.csv where it does not lie beside the pictures.
    """

    emotions: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    mode: FerplusMode = "majority"
    votes: Path | None = None

    def class_of(self, word: str) -> str | None:
        """The project's class for a word of the dataset; case, `_` and surrounding spaces do not matter."""
        plain = word.strip().lower().replace("_", " ")
        for spelling in (word, plain, plain.replace(" ", "-")):
            if spelling in self.emotions:
                return spelling
            if spelling in self.aliases:
                return self.aliases[spelling]
        lowered = {emotion.lower(): emotion for emotion in self.emotions}
        return lowered.get(plain)


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One picture of a dataset.

    Attributes:
        row: its number in the published order, from 0; rows that cannot be read keep theirs.
        where: the place a person would look at, e.g. "fer2013.csv:12" or "train/happy/a.jpg".
        emotion: the project's class; empty when the dataset's votes give none.
        part: the published part, e.g. Training; empty when there are no parts.
        status: of the label.
        rule: how the label came about.
        num_votes: annotators who judged it; 0 when only the label was published.
        agreement: share of the votes of the largest label.
        entropy: of the votes, bits.
        shares: soft label, by class.
        file: the picture's file, when it is one.
    """

    row: int
    where: str
    emotion: str
    part: str
    status: LabelStatus = "given"
    rule: str = "given"
    num_votes: int = 0
    agreement: float | None = None
    entropy: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, eq=False)
class SourceBatch:
    """Some items with their pictures, grey "height width" or RGB "height width 3", uint8.

    Attributes:
        failures: rows that could not be read, and why.
        left_out: rows that belong to no class of the project, by the word the dataset has for them.
        num_foreign: files that are no pictures, passed over.
        num_total: items in the whole dataset, when that is known.
    """

    items: tuple[SourceItem, ...] = ()
    images: Sequence[np.ndarray] = ()
    failures: tuple[Failure, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    num_foreign: int = 0
    num_total: int | None = None


Reader = Callable[[Path, SourceOptions, Decode], Iterator[SourceBatch]]
Roles = Mapping[str, Split]


def shown(path: Path) -> str:
    """`path` as text that any terminal and file can hold, whatever bytes its name is made of; POSIX."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
