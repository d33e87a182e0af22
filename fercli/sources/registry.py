"""The public datasets by name: how each is read, its classes, its published counts and what its parts mean."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from fercli.core.errors import InputError
from fercli.sources import affectnet, fer2013, ferplus, folder, rafdb
from fercli.sources.items import Reader, Roles, SourceOptions


@dataclass(frozen=True)
class Source:
    """One public dataset.

    Attributes:
        name: what `fer add --source` calls it.
        read: path, options, decoder -> batches.
        roles: published parts that are there -> the split that each means.
        looks_like: its files, for messages.
        preset: the classes of `fer init --preset`; empty when folders name the classes.
        emotions: its class words; empty when folders name them.
        optional: class words that a project may lack; their rows are left out and counted.
        published: rows of each part, as published, by the number of classes (0: any).
        counts_labelled: the published counts are of rows with a label.
        remark: where a paper counts otherwise, in a full sentence.
    """

    name: str
    read: Reader
    roles: Callable[[Collection[str]], Roles]
    looks_like: str
    preset: str = ""
    emotions: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    published: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    counts_labelled: bool = False
    remark: str = ""

    def check_classes(self, options: SourceOptions) -> None:
        """Refuse a project whose classes are not those of the set.

        Raises:
            InputError: a class of the set is not in the project.
        """
        unknown = [word for word in self.emotions if word not in self.optional and options.class_of(word) is None]
        if unknown:
            raise InputError(
                f"{self.name}'s class '{unknown[0]}' is not a class of this project ({', '.join(options.emotions)})",
                hint=f"Create a project for it: fer init DIR --preset {self.preset}. Or add it under [labels.aliases].",
            )

    def published_counts(self, options: SourceOptions) -> Mapping[str, int]:
        """The published number of rows of each part for the project's classes; empty when none is known."""
        num_classes = sum(options.class_of(word) is not None for word in self.emotions)
        return self.published.get(num_classes) or self.published.get(0) or {}


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="fer2013",
            read=fer2013.read_fer2013,
            roles=fer2013.fer2013_roles,
            looks_like=fer2013.LOOKS_LIKE,
            preset="fer2013",
            emotions=fer2013.EMOTIONS,
            published={0: fer2013.PUBLISHED},
        ),
        Source(
            name="ferplus",
            read=ferplus.read_ferplus,
            roles=fer2013.fer2013_roles,
            looks_like=ferplus.LOOKS_LIKE,
            preset="ferplus",
            emotions=ferplus.EMOTIONS,
            published={0: ferplus.PUBLISHED},
            counts_labelled=True,
            remark=ferplus.REMARK,
        ),
        Source(
            name="raf-db",
            read=rafdb.read_rafdb,
            roles=rafdb.rafdb_roles,
            looks_like=rafdb.LOOKS_LIKE,
            preset="raf-db",
            emotions=rafdb.EMOTIONS,
            published={0: rafdb.PUBLISHED},
        ),
        Source(
            name="affectnet",
            read=affectnet.read_affectnet,
            roles=affectnet.affectnet_roles,
            looks_like=affectnet.LOOKS_LIKE,
            preset="affectnet7",
            emotions=affectnet.EMOTIONS,
            optional=affectnet.OPTIONAL,
            published={7: affectnet.PUBLISHED_7, 8: affectnet.PUBLISHED_8},
        ),
        Source(
            name="scfed",
            read=folder.read_folder,
            roles=folder.folder_roles,
            looks_like=folder.LOOKS_LIKE,
            preset="scfed",
            published={0: folder.PUBLISHED_SCFED},
        ),
        Source(
            name="sferd",
            read=folder.read_folder,
            roles=folder.folder_roles,
            looks_like=folder.LOOKS_LIKE,
            preset="sferd",
            published={0: folder.PUBLISHED_SFERD},
        ),
        Source(name="folder", read=folder.read_folder, roles=folder.folder_roles, looks_like=folder.LOOKS_LIKE),
    )
}


def differences(counted: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    """What a person should know where the counted rows are not the published ones, one sentence a part."""
    return [
        f"{part or 'all images'}: {counted.get(part, 0):,} here, {number:,} published"
        for part, number in published.items()
        if counted.get(part, 0) != number
    ]
