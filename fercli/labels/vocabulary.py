"""Map the words that annotators use to the classes of a project; unknown words are refused with suggestions."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fercli.core.emotions import NO_CLASS, built_in_aliases
from fercli.core.errors import InputError
from fercli.core.names import folded

_SKIPS = frozenset({"", "-", "skip", "skipped", "n/a", "nan"})


class Vocabulary:
    """The words of one project: its classes, their aliases, `unknown` and `nf`; case and blanks do not count."""

    def __init__(self, classes: Sequence[str], aliases: Mapping[str, str] | None = None) -> None:
        """Aliases of the project go before the built-in spellings (happiness, happy).

        Raises:
            InputError: an alias stands for a word that is no class.
        """
        self.classes = tuple(classes)
        meanings = built_in_aliases(self.classes) | {word: word for word in NO_CLASS}
        self._meanings = {_plain(word): label for word, label in meanings.items()}
        for word, label in (aliases or {}).items():
            if label not in (*self.classes, *NO_CLASS):
                hint = _close(label, [*self.classes, *NO_CLASS]) or f"Known: {', '.join(self.classes)}."
                raise InputError(f"'{word}' cannot be mapped to '{label}', which is not a class", hint=hint)
            self._meanings[_plain(word)] = label
        self._meanings |= {_plain(word): word for word in self.classes}

    def is_class(self, word: str) -> bool:
        """Whether the word is a class, `unknown` or another word for one."""
        return _plain(word) in self._meanings

    def is_skip(self, word: str) -> bool:
        """Whether the word says that the annotator left the face out."""
        plain = _plain(word)
        return plain in _SKIPS and plain not in self._meanings

    def meanings_of(self, words: Iterable[str], place: str) -> dict[str, str]:
        """The class of each word that is no skip.

        Args:
            words: one for each vote, so that the message can count.
            place: the file, for the message.

        Raises:
            InputError: some words are not known; all of them are named with counts and the nearest class.
        """
        counts = Counter(words)
        known = self._meanings.keys() | _SKIPS
        unknown = {word: count for word, count in counts.items() if _plain(word) not in known}
        if unknown:
            raise InputError(self._complaint(unknown, place), hint=self._advice(unknown))
        return {word: self._meanings[_plain(word)] for word in counts if not self.is_skip(word)}

    def _complaint(self, unknown: Mapping[str, int], place: str) -> str:
        parts = []
        for word, count in sorted(unknown.items(), key=lambda entry: (-entry[1], entry[0]))[:5]:
            near = _close(word, list(self._meanings))
            parts.append(f"'{word}' ({count} {'vote' if count == 1 else 'votes'}{'; ' + near if near else ''})")
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        noun = "label is not a class" if len(unknown) == 1 else "labels are not classes"
        return f"{place}: {len(unknown)} {noun} of this project: {', '.join(parts)}{more}"

    def _advice(self, unknown: Mapping[str, int]) -> str:
        word = sorted(unknown)[0]
        return f"Known: {', '.join((*self.classes, *NO_CLASS))}. Map a word to a class with --map {word}=CLASS."


def _plain(word: str) -> str:
    return folded(re.sub(r"[\s_\-]+", " ", word)) if word != "-" else word


def _close(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(_plain(word), known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""
