"""Recognise one person under the different names that annotation tools export."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fercli.core.names import folded
from fercli.core.words import counted
from fercli.labels.formats.rawvotes import RawVote, RawVotes, is_ballot
from fercli.labels.pseudonyms import ADJUDICATOR, extend_pseudonyms, is_pseudonym, with_returning


@dataclass
class People:
    """Who is who, as earlier imports and the files read since show.

    Args:
        key: each name's pseudonym; several names may have one.
        entries: judgements of earlier exports of Label Studio, as in `RawVotes.entries`.
        merged: pseudonyms that turned out to be another's -> the one that stays.
    """

    key: dict[str, str]
    entries: dict[str, tuple[str, str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)

    def remember(self, entries: Mapping[str, tuple[str, str]], renamed: Mapping[str, str]) -> None:
        """Learn the judgements of an earlier export."""
        self.entries |= {mark: (number, renamed.get(who, who)) for mark, (number, who) in entries.items()}

    def identify(self, raw: RawVotes, tag: str) -> tuple[RawVotes, dict[str, str], list[str]]:
        """`raw` under names that stand for one person each, which names were replaced, and what is to be said.

        Spellings that differ in case or blanks are one name. Judgements that two exports of one Label Studio share
        show which number and which address are one person. A bare number from another Label Studio, where the same
        judgements are others, is somebody else.

        Args:
            raw: a file's votes.
            tag: goes to such a number, to tell it from that of the first.
        """
        names = list(dict.fromkeys(vote.annotator for vote in (*raw.votes, *raw.gold)))
        self.key = with_returning(self.key, [*names, *(name for person in raw.people for name in person)])
        spelled: dict[str, str] = {}
        for name in (*self.key, *names):
            spelled.setdefault(folded(name), name)
        links, notes = self._links(raw)
        renamed: dict[str, str] = {}
        for name in names:
            known = spelled[folded(name)]
            if name in links:
                notes += self._merge(known, links[name])
                known = links[name]
            elif known in self.key and name.isdecimal() and raw.entries:
                if self._is_elsewhere(raw):
                    known = f"{name} ({tag})"
                    notes.append(
                        "an annotator has the number of an earlier one in another Label Studio (the same annotations "
                        "are others there) and was taken for somebody else"
                    )
                else:
                    notes.append(
                        f"{self.key[known]} is known by a number alone, and was taken for the annotator of that number "
                        "in an earlier import"
                    )
            if known != name:
                renamed[name] = known
        notes += self._spelling_notes(renamed, links)
        self._number(names, renamed, raw.people, notes)
        self.remember(raw.entries, renamed)
        return under_names(raw, renamed), renamed, notes

    def _links(self, raw: RawVotes) -> tuple[dict[str, str], list[str]]:
        """Names of this file -> names of earlier ones that gave the very same judgements."""
        pairs = Counter((who, self.entries[mark][1]) for mark, (_, who) in raw.entries.items() if mark in self.entries)
        forward, backward = defaultdict(set), defaultdict(set)
        for now, before in pairs:
            forward[now].add(before)
            backward[before].add(now)
        links = {now: before for now, before in pairs if len(forward[now]) == 1 and len(backward[before]) == 1}
        num_torn = len({now for now, _ in pairs} - links.keys())
        said = "gave annotations that an earlier export gives to several people; who is who cannot be told"
        return links, [f"{counted(num_torn, 'annotator')} {said}"] if num_torn else []

    def _merge(self, name: str, other: str) -> list[str]:
        """Make two names one person; what is to be said where both had votes."""
        mine, theirs = self.key.get(name), self.key.get(other)
        if theirs is None or mine is None or mine == theirs:
            return []
        self.merged[mine] = theirs
        self.key |= {known: theirs for known, word in self.key.items() if word == mine}
        return [f"{mine} is {theirs}: an export shows both to have given the same annotations, so they are one now"]

    def _is_elsewhere(self, raw: RawVotes) -> bool:
        if any(mark in self.entries for mark in raw.entries):
            return False
        numbers = {number for number, _ in self.entries.values()}
        return any(number in numbers for number, _ in raw.entries.values())

    def _spelling_notes(self, renamed: Mapping[str, str], links: Mapping[str, str]) -> list[str]:
        spellings = [name for name, known in renamed.items() if name not in links and folded(name) == folded(known)]
        notes = []
        if spellings:
            notes.append(f"{counted(len(spellings), 'name')} differ from others in case or blanks only: taken as one")
        return notes

    def _number(
        self, names: Iterable[str], renamed: Mapping[str, str], people: Iterable[tuple[str, ...]], notes: list[str]
    ) -> None:
        """Give each person a pseudonym, and each further name that a file has for them the same."""
        before = dict(self.key)
        self.key = extend_pseudonyms(self.key, (renamed.get(name, name) for name in names))
        for first, *others in people:
            word = self.key.get(renamed.get(first, first))
            known = [self.key.setdefault(other, word) for other in others] if word else []
            notes += [_may_be_one(other, word, "have one number") for other in known if word and other != word]
        short: dict[str, str] = {}
        for name, word in self.key.items():
            if _is_name(name):
                other = short.setdefault(folded(name).partition("@")[0], word)
                if other != word and name not in before:
                    notes.append(_may_be_one(other, word, "have names that look alike"))
        # A login such as "a1" would be read as our own pseudonym of somebody else.
        taken = [name for name in names if is_pseudonym(name) and name in before.values() and name not in before]
        notes += [f"{name}, a name in the file, was taken for the annotator with this pseudonym" for name in taken]


def _may_be_one(first: str, second: str, why: str) -> str:
    return f"{first} and {second} {why}; if they are one person: fer labels annotators merge {first} {second}"


def _is_name(name: str) -> bool:
    return not (name.isdecimal() or is_pseudonym(name) or is_ballot(name) or name == ADJUDICATOR or " (" in name)


def under_names(raw: RawVotes, renamed: Mapping[str, str]) -> RawVotes:
    """The same judgements with some names replaced."""
    if not renamed:
        return raw

    def under(votes: Iterable[RawVote]) -> list[RawVote]:
        return [vote._replace(annotator=renamed.get(vote.annotator, vote.annotator)) for vote in votes]

    return replace(raw, votes=under(raw.votes), gold=under(raw.gold))
