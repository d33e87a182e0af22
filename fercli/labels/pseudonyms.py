"""Annotators' names to pseudonyms that stay the same from import to import."""

import re
from collections.abc import Iterable, Mapping

from fercli.labels.formats.rawvotes import is_ballot

# Whoever has the last word on a face that the others could not agree on; not one of the annotators.
ADJUDICATOR = "adjudicator"
# What we write ourselves: "a01" or a huge number is somebody's login.
_PSEUDONYM = re.compile(r"^a([1-9]\d{0,5})$")


def extend_pseudonyms(known: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The key with `names` added: a1, a2, ... in the order in which they are first met; nobody known is renamed.

    A name that has the form of a pseudonym means itself, so that exports can be read back, into this project or a new
    one. Numbered ballots and the adjudicator are no persons to hide, and keep their names.
    """
    new = [name for name in dict.fromkeys(names) if name not in known]
    key = {**known, **{name: name for name in new if _is_no_name(name)}}
    # Before any number is given away: the one of a name further down must not go to another person.
    # Merged and removed ones stand among the names alone.
    taken = {*known.values(), *key.values(), *(name for name in key if is_pseudonym(name))}
    last = max((int(match[1]) for word in taken if (match := _PSEUDONYM.match(word))), default=0)
    for name in new:
        if name not in key:
            last += 1
            key[name] = f"a{last}"
    return {name: key[name] for name in (*known, *new)}


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of those that we give."""
    return bool(_PSEUDONYM.match(name))


def _is_no_name(name: str) -> bool:
    return is_pseudonym(name) or is_ballot(name) or name == ADJUDICATOR
