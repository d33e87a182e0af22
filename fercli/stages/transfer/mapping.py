"""Bring the classes of a run and those of another project together: one to one, many to one, or left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fercli.core.emotions import built_in_aliases
from fercli.core.errors import SettingsError, UsageError
from fercli.core.names import folded
from fercli.core.settings import list_words, suggestion


@dataclass(frozen=True)
class ClassMap:
    """Which evaluated class each class means.

    Attributes:
        classes: that are evaluated, in the run's order; those without a counterpart stand last.
        of_label: of each class of the other project; None where its faces are left out.
        of_predicted: of each class of the run; None where it is left out of the choice.
        guessed: pairs that were matched by other spellings, theirs and the run's.
        alone: classes of the run that the other project does not have: whoever is called so is called wrongly.
    """

    classes: tuple[str, ...]
    of_label: Mapping[str, str | None]
    of_predicted: Mapping[str, str | None]
    guessed: tuple[tuple[str, str], ...]
    alone: tuple[str, ...]


def map_words(given: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs that `--map` names: theirs=ours; either side may be empty.

    Raises:
        UsageError: a word is no such pair.
    """
    pairs = []
    for text in given:
        try:
            words = list_words(text)
        except ValueError as error:
            raise UsageError(f"--map {text}: a quotation mark is not closed", hint=_HOW) from error
        for word in words:
            theirs, sign, ours = (part.strip() for part in word.partition("="))
            if not sign or not (theirs or ours):
                raise UsageError(f"--map {word}: not a pair of classes", hint=_HOW)
            pairs.append((theirs, ours))
    return pairs


def class_map(theirs: Sequence[str], ours: Sequence[str], given: Sequence[tuple[str, str]], name: str) -> ClassMap:
    """The evaluated classes.

    Args:
        theirs: the classes of the other project.
        ours: those of the run.
        given: pairs of `map_words`; what they do not name is matched by its name, then by other spellings.
        name: of the other project.

    Raises:
        UsageError: a pair names no class, a class is both mapped and left out, or fewer than two classes are left.
        SettingsError: a class of the other project has no counterpart.
    """
    _check_names(theirs, ours, given, name)
    no_label = {one for one, other in given if not other}
    no_choice = {other for one, other in given if not one}
    pairs = [(one, other) for one, other in given if one and other]
    guessed = []
    for one in theirs:
        if one in no_label or any(one == first for first, _ in pairs):
            continue
        other = _same(one, [word for word in ours if word not in no_choice])
        if other is None:
            raise SettingsError(
                f"class '{one}' of '{name}' has no counterpart among the run's classes ({', '.join(ours)})",
                hint=f"Leave its faces out with --map '{one}=', or map it to a class: --map '{one}={ours[0]}'",
            )
        pairs.append((one, other))
        if folded(one) != folded(other):
            guessed.append((one, other))
    named = _named(_components(pairs), ours)
    of_label = {one: named[one, ""] for one, _ in pairs} | dict.fromkeys(no_label)
    alone = tuple(word for word in ours if word not in no_choice and not any(word == other for _, other in pairs))
    of_predicted: dict[str, str | None] = {word: word for word in alone} | dict.fromkeys(no_choice)
    of_predicted |= {other: named["", other] for _, other in pairs}
    joint = dict.fromkeys(named["", word] for word in ours if ("", word) in named)
    if len(joint) < 2:
        raise UsageError(f"only {len(joint)} class is left to evaluate on '{name}'", hint=_HOW)
    return ClassMap((*joint, *alone), of_label, of_predicted, tuple(guessed), alone)


def _check_names(theirs: Sequence[str], ours: Sequence[str], given: Sequence[tuple[str, str]], name: str) -> None:
    for one, other in given:
        if one and one not in theirs:
            raise UsageError(f"--map {one}={other}: '{name}' has no class '{one}'", hint=suggestion(one, theirs))
        if other and other not in ours:
            raise UsageError(f"--map {one}={other}: the run has no class '{other}'", hint=suggestion(other, ours))
    for left, place in (({one for one, other in given if not other}, 0), ({b for a, b in given if not a}, 1)):
        if twice := sorted(left & {pair[place] for pair in given if all(pair)}):
            raise UsageError(f"--map: '{twice[0]}' is mapped and left out", hint="Keep one of the two.")


def _same(word: str, ours: Sequence[str]) -> str | None:
    """The run's class that is meant by a word, by its name or by another spelling of it."""
    exact = [other for other in ours if folded(other) == folded(word)]
    if exact:
        return exact[0]
    aliases = built_in_aliases(tuple(folded(other) for other in ours))
    meant = aliases.get(folded(word))
    return next((other for other in ours if meant and folded(other) == meant), None)


def _components(pairs: Sequence[tuple[str, str]]) -> list[tuple[list[str], list[str]]]:
    """Classes that belong together, theirs and the run's, however many of them each pair joins."""
    groups: list[tuple[list[str], list[str]]] = []
    for one, other in pairs:
        touched = [group for group in groups if one in group[0] or other in group[1]]
        merged = (
            list(dict.fromkeys([*(word for group in touched for word in group[0]), one])),
            list(dict.fromkeys([*(word for group in touched for word in group[1]), other])),
        )
        groups = [*(group for group in groups if group not in touched), merged]
    return groups


def _named(groups: Sequence[tuple[list[str], list[str]]], ours: Sequence[str]) -> dict[tuple[str, str], str]:
    """The name of each class's group, by (theirs, "") and ("", the run's): the run's word, or theirs for several."""
    named: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for theirs, own in groups:
        name = own[0] if len(own) == 1 else theirs[0] if len(theirs) == 1 else "/".join(own)
        if name in taken or (name in ours and name not in own):
            name = "/".join(own)
        taken.add(name)
        named |= {(one, ""): name for one in theirs} | {("", other): name for other in own}
    return named


_HOW = "Write THEIRS=OURS, for example --map anger=angry,contempt= (leave contempt out)."
