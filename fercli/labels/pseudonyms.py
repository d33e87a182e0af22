"""Annotators' names to pseudonyms that stay the same from import to import."""

import re
from collections.abc import Iterable, Mapping

from fercli.labels.rawvotes import is_ballot

# Whoever has the last word on a face that the others could not agree on; not one of the annotators.
ADJUDICATOR = "adjudicator"
_PSEUDONYM = re.compile(r"^a(\d+)$")


def extend_pseudonyms(known: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The key with `names` added: a1, a2, ... in the order in which they are first met; nobody known is renamed.

    A name that is a pseudonym of this project already means itself, so that our own exports can be read back. Numbered
    ballots and the adjudicator are no persons to hide, and keep their names.
    """
    key = dict(known)
    taken = set(known.values())
    last = max((int(match[1]) for word in taken if (match := _PSEUDONYM.match(word))), default=0)
    for name in dict.fromkeys(names):
        if name in key:
            continue
        if name in taken or is_ballot(name) or name == ADJUDICATOR:
            key[name] = name
            continue
        last += 1
        key[name] = f"a{last}"
        taken.add(key[name])
    return key
