"""Turn raw votes into rows of votes.csv: match faces, read words, hide annotators, keep the latest vote."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fercli.core.rows import Vote
from fercli.labels.formats.rawvotes import RawVote, RawVotes, stamp_order
from fercli.labels.matching import FaceIndex
from fercli.labels.pseudonyms import extend_pseudonyms
from fercli.labels.vocabulary import Vocabulary


@dataclass(frozen=True)
class MatchedVotes:
    """The votes of one file that found their face.

    Args:
        votes: sorted by face and annotator, one for each pair.
        pseudonyms: the key, extended by the annotators of this file.
        gold: judgements marked as truth, with the annotator's pseudonym.
        unmatched: items without a face, each once.
        num_unmatched: votes on them.
        num_skipped: votes that were none.
        num_overwritten: votes that a newer one of the same annotator on the same face replaced.
        conflicts: faces with two different labels of one annotator at once, by two boxes, or by people whom the file
            does not name; no votes.
        repeats: for each annotator who judged a face under two names: how often, and how often alike.
    """

    votes: list[Vote]
    pseudonyms: dict[str, str]
    gold: list[Vote] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    num_unmatched: int = 0
    num_skipped: int = 0
    num_overwritten: int = 0
    repeats: dict[str, tuple[int, int]] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)


def match_votes(
    raw: RawVotes,
    faces: FaceIndex,
    vocabulary: Vocabulary,
    *,
    pseudonyms: Mapping[str, str],
    source: str,
    place: str = "",
) -> MatchedVotes:
    """Turn raw votes into rows.

    Args:
        raw: what a reader gave.
        faces: the project's faces.
        vocabulary: the project's words.
        pseudonyms: the key of earlier imports, name -> pseudonym.
        source: what the column `source` shall say.
        place: what messages call the file; `source` where it is not given.

    Raises:
        InputError: labels that are not in the project's set.
    """
    meanings = vocabulary.meanings_of((vote.label for vote in (*raw.votes, *raw.gold)), place or source)
    found = {item: faces.find(item) for item in dict.fromkeys(vote.item for vote in (*raw.votes, *raw.gold))}
    key = extend_pseudonyms(pseudonyms, (vote.annotator for vote in (*raw.votes, *raw.gold)))
    matched = [vote for vote in raw.votes if found[vote.item] is not None]
    given = [vote for vote in matched if vote.label in meanings]
    rows = [_row(vote, found, meanings, key, source=source) for vote in given]
    num_skips = len(matched) - len(given)
    torn = _torn(given, rows, is_unnamed=bool(raw.guessed))
    if torn:
        both = [(vote, row) for vote, row in zip(given, rows, strict=True) if (row.face_id, row.annotator) not in torn]
        given, rows = [vote for vote, _ in both], [row for _, row in both]
    gold = [vote for vote in raw.gold if vote.label in meanings and found[vote.item] is not None]
    votes, num_overwritten, _ = _keep_newest(rows)
    return MatchedVotes(
        votes,
        key,
        [_row(vote, found, meanings, key, source=source) for vote in gold],
        [item for item, face_id in found.items() if face_id is None],
        len(raw.votes) - len(matched),
        raw.num_skipped + num_skips,
        num_overwritten,
        _repeats(given, rows),
        [f"{face_id} ({annotator}): {', '.join(sorted(labels))}" for (face_id, annotator), labels in torn.items()],
    )


def merge_votes(existing: Iterable[Vote], new: Iterable[Vote]) -> tuple[list[Vote], int, int]:
    """Both together, sorted, the newest for each face and annotator; how many were replaced, how many by another label.

    With time stamps on both the later stamp is newer; else the vote of `new` is.
    """
    votes, num_overwritten, num_alike = _keep_newest([*existing, *new])
    return votes, num_overwritten, num_overwritten - num_alike


def under_one_name(votes: Sequence[Vote], merged: Mapping[str, str]) -> list[Vote]:
    """The votes, with annotators that turned out to be others under the name that stays."""
    if not merged:
        return list(votes)
    last = {word: _last(word, merged) for word in merged}
    return [replace(vote, annotator=last.get(vote.annotator, vote.annotator)) for vote in votes]


def _last(word: str, merged: Mapping[str, str]) -> str:
    while word in merged:
        word = merged[word]
    return word


def _row(
    vote: RawVote,
    found: Mapping[str, str | None],
    meanings: Mapping[str, str],
    key: Mapping[str, str],
    *,
    source: str,
) -> Vote:
    face_id = found[vote.item]
    assert face_id is not None
    annotator, label = key[vote.annotator], meanings[vote.label]
    how = vote.confidence, vote.created_at, source, vote.suggested, vote.chosen
    return Vote(face_id, annotator, label, vote.label, *how)


def _keep_newest(votes: Sequence[Vote]) -> tuple[list[Vote], int, int]:
    """One vote for each face and annotator, how many gave way, and how many of these said the same."""
    newest: dict[tuple[str, str], Vote] = {}
    num_alike = 0
    for vote in votes:
        pair = vote.face_id, vote.annotator
        other = newest.get(pair)
        if other is not None:
            num_alike += other.label == vote.label
            if _is_older(vote, other):
                continue
        newest[pair] = vote
    kept = [newest[pair] for pair in sorted(newest)]
    return kept, len(votes) - len(kept), num_alike


def _torn(given: Sequence[RawVote], rows: Sequence[Vote], *, is_unnamed: bool) -> dict[tuple[str, str], set[str]]:
    """Faces covered by several boxes of one annotator, or judged twice by nobody knows whom, with different labels."""
    labels: dict[tuple[str, str, str], set[str]] = {}
    for raw, row in zip(given, rows, strict=True):
        if is_unnamed or "@" in raw.item:
            item = raw.item if "@" not in raw.item else ""
            labels.setdefault((row.face_id, row.annotator, item), set()).add(row.label)
    return {(face_id, who): found for (face_id, who, _), found in labels.items() if len(found) > 1}


def _repeats(given: Sequence[RawVote], rows: Sequence[Vote]) -> dict[str, tuple[int, int]]:
    """How often an annotator judged one face under two names, and how often alike; a changed mind is no repeat."""
    if len({raw.item for raw in given}) == len({vote.face_id for vote in rows}):
        return {}
    first: dict[tuple[str, str], tuple[str, str]] = {}
    num_repeats, num_alike = Counter[str](), Counter[str]()
    for raw, vote in zip(given, rows, strict=True):
        if "@" in raw.item:
            continue  # a second box on the same face is no second look
        item, label = first.setdefault((vote.face_id, vote.annotator), (raw.item, vote.label))
        if item != raw.item:
            num_repeats[vote.annotator] += 1
            num_alike[vote.annotator] += label == vote.label
    return {annotator: (count, num_alike[annotator]) for annotator, count in sorted(num_repeats.items())}


def _is_older(vote: Vote, other: Vote) -> bool:
    order, other_order = stamp_order(vote.created_at), stamp_order(other.created_at)
    return bool(order and other_order) and order < other_order


def adjudicated(raw: RawVotes, adjudicator: str) -> RawVotes:
    """The same judgements as the last word of `adjudicator`; items that two people judged differently are conflicts."""
    words: dict[str, dict[str, set[str]]] = {}
    for vote in raw.votes:
        words.setdefault(vote.item, {}).setdefault(vote.annotator, set()).add(vote.label)
    torn = {item: found for item, found in words.items() if len(found) > 1 and len(set().union(*found.values())) > 1}
    votes = [vote._replace(annotator=adjudicator) for vote in raw.votes if vote.item not in torn]
    told = [f"{item}: {', '.join(sorted(set().union(*found.values())))}" for item, found in torn.items()]
    gold = [vote._replace(annotator=adjudicator) for vote in raw.gold]
    return replace(raw, votes=votes, gold=gold, conflicts=[*raw.conflicts, *told], guessed="", people=[], entries={})
