"""Replace annotators' names by pseudonyms that stay the same from import to import."""

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Mapping

from fercli.core.names import folded
from fercli.labels.formats.rawvotes import is_ballot

# Whoever has the last word on a face that the others could not agree on; not one of the annotators.
ADJUDICATOR = "adjudicator"
# What we write ourselves: "a01" or a huge number is somebody's login.
_PSEUDONYM = re.compile(r"^a([1-9]\d{0,5})$")
# What stands for a name that was taken out: a random number of this project, and the digest of both.
_STAND_IN = re.compile(r"^removed ([0-9a-f]{16}) [0-9a-f]{64}$")


def extend_pseudonyms(known: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The key with `names` added: a1, a2, ... in the order in which they are first met; nobody known is renamed.

    A name that has the form of a pseudonym means itself, so that exports can be read back, into this project or a new
    one. Numbered ballots and the adjudicator are no persons to hide, and keep their names. Who was taken out and comes
    again gets the pseudonym of before.
    """
    known = with_returning(known, names := list(names))
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


def without_names(key: Mapping[str, str], gone: Collection[str]) -> dict[str, str]:
    """The key without some of its names: a digest stands for each, by which its pseudonym is found should it return."""
    salts = [match[1] for name in key if (match := _STAND_IN.match(name))]
    salt = salts[0] if salts else secrets.token_hex(8)
    return {_stand_in(name, salt) if name in gone and name != word else name: word for name, word in key.items()}


def with_returning(key: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The key with those of `names` put back that `without_names` took out, in whatever spelling."""
    salts = {match[1] for name in key if (match := _STAND_IN.match(name))}
    returning = {mark: name for salt in salts for name in names if (mark := _stand_in(name, salt)) in key}
    return {returning.get(name, name): word for name, word in key.items()}


def _stand_in(name: str, salt: str) -> str:
    return f"removed {salt} {hashlib.sha256(f'{salt} {folded(name)}'.encode()).hexdigest()}"


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of those that we give."""
    return bool(_PSEUDONYM.match(name))


def _is_no_name(name: str) -> bool:
    return is_pseudonym(name) or is_ballot(name) or name == ADJUDICATOR
