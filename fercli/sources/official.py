"""Build a split from published sets; where no validation set is published, it is drawn from train."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fercli.core.rows import Split
from fercli.sources.items import Roles

VAL_SHARE = 0.1


@dataclass(frozen=True)
class OfficialSplit:
    """A split for each picture (None: no label, or a part without a role) and how it was made.

    `from_parts`: the split that each published part became; `drawn_val`: whether val was drawn from train.
    """

    splits: tuple[Split | None, ...]
    from_parts: dict[str, Split]
    drawn_val: bool


def official_split(
    parts: Sequence[str],
    emotions: Sequence[str],
    pictures: Sequence[bytes],
    *,
    roles: Roles,
    generator: np.random.Generator,
    val_share: float = VAL_SHARE,
) -> OfficialSplit:
    """Give each labelled picture the split that its published part means.

    Where none means val, `val_share` of train is drawn, class by class. Byte-identical pictures stay on one side, and
    those whose labels disagree stay in train, so the drawn val does not leak.

    Args:
        parts: the published part of each picture.
        emotions: its class; empty ones get no split.
        pictures: a digest of each picture's pixels.
        roles: part -> split.
        generator: draws val.
        val_share: of train.
    """
    splits: list[Split | None] = [
        roles.get(part) if emotion else None for part, emotion in zip(parts, emotions, strict=True)
    ]
    present = {split for split in splits if split}
    drawn = "train" in present and "val" not in present
    if drawn:
        train = [place for place, split in enumerate(splits) if split == "train"]
        for place in _drawn(train, emotions, pictures, generator, val_share=val_share):
            splits[place] = "val"
    from_parts = {part: roles[part] for part in sorted(set(parts)) if part in roles}
    return OfficialSplit(tuple(splits), from_parts, drawn)


def _drawn(
    train: Sequence[int],
    emotions: Sequence[str],
    pictures: Sequence[bytes],
    generator: np.random.Generator,
    *,
    val_share: float,
) -> list[int]:
    groups: dict[bytes, list[int]] = {}
    for place in train:
        groups.setdefault(pictures[place], []).append(place)
    wanted = {emotion: round(val_share * number) for emotion, number in Counter(emotions[i] for i in train).items()}
    candidates = [group for group in groups.values() if len({emotions[place] for place in group}) == 1]
    chosen: list[int] = []
    for number in generator.permutation(len(candidates)):
        group = candidates[number]
        emotion = emotions[group[0]]
        if len(group) <= wanted[emotion]:
            wanted[emotion] -= len(group)
            chosen += group
    return chosen
