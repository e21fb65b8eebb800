"""How words are said that the model's lexicon may not hold: names, makers, abbreviations.

    pronouncer = Pronouncer(model.pronounce, {"sauna": [("S", "AO", "N", "AH")]})
    ways = pronouncer(["lamp", "zorkmid"])      # word -> pronunciations
    pronouncer.guessed                          # {"zorkmid": "from its letters"}

What the user says holds, then the lexicon, then what a word is made of: a name with 's, two
words written as one, letters that are read one by one. Only then its spelling is read aloud.
Where few words are listened for, they may be said loosely too: see `loosely_said`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise

from streamasr.core.phones import PHONE_IDS
from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.spelling import ENGLISH, LetterReader
from streamasr.errors import ConfigError

Ways = Mapping[str, Sequence[Phones]]

SHORTEST_PART = 3
VOWELS = frozenset("aeiouy")
VARIANTS = 2
"""Readings of a spelling at most."""
_HISSING = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))
_STOPS = frozenset(("T", "D"))
"""Many leave these out at the end of a word,"""
_BEFORE_STOPS = frozenset(("N", "L", "S", "K", "F", "P"))
"""after these."""


@cache
def letter_reader() -> LetterReader:
    """The rules of English, read once."""
    return LetterReader.read(ENGLISH)


class Pronouncer:
    """Says any word of English letters; remembers which it had to guess, and how."""

    def __init__(
        self,
        known: Callable[[Sequence[str]], Ways],
        given: Ways | None = None,
        *,
        loosely: bool = False,
    ) -> None:
        """With ``loosely`` words, but not the given ones, may be said so too."""
        self._known = known
        self._given = given or {}
        self._loosely = loosely
        self.guessed: dict[str, str] = {}

    def __call__(self, words: Sequence[str]) -> dict[str, list[Phones]]:
        """The pronunciations of words; those that are no English letters are left out."""
        found = {word: list(ways) for word, ways in self._known(words).items()}
        for word in words:
            if word in self._given or word in found:
                continue
            if guess := self._guess(word):
                found[word], self.guessed[word] = guess
        if self._loosely:
            found = {word: loosely_said(ways) for word, ways in found.items()}
        return found | {word: list(self._given[word]) for word in words if word in self._given}

    def _guess(self, word: str) -> tuple[list[Phones], str] | None:
        stem, apostrophe, ending = word.partition("'")
        if apostrophe and ending in ("s", "") and stem:
            said = self([stem]).get(stem, [])
            self.guessed.pop(stem, None)
            if said:
                return [(*way, *_ending(way)) if ending else way for way in said], f"from {stem}"
        for cut in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
            parts = word[:cut], word[cut:]
            said_parts = self._known(parts)
            if len(said_parts) == len(set(parts)):
                first, second = (said_parts[part][0] for part in parts)
                return [(*first, *second)], f"from {parts[0]} {parts[1]}"
        if word.isascii() and word.isalpha() and not VOWELS & set(word):
            letters = self._known(sorted(set(word)))
            if set(word) <= set(letters):
                # the name of a letter is its last pronunciation: "a" is said AH first
                return [tuple(p for letter in word for p in letters[letter][-1])], "by letters"
        said = letter_reader().say(word, variants=VARIANTS)
        return (said, "from its letters") if said else None


def loosely_said(ways: Sequence[Phones]) -> list[Phones]:
    """Pronunciations, and those of other accents and of less care that are nearest to them.

    The vowels of "shot" and "bought" may each be the other, but not before R, and a T or D that
    ends a word after another consonant may be left out.
    """
    said = list(ways)
    for way in ways:
        rounded = tuple("AO" if phone == "AA" else phone for phone in way)
        merged = tuple(
            "AA" if phone == "AO" and after != "R" else phone
            for phone, after in pairwise((*way, ""))
        )
        is_clipped = len(way) > 2 and way[-1] in _STOPS and way[-2] in _BEFORE_STOPS
        for other in (way, rounded, merged):
            for cut in (other, other[:-1]) if is_clipped else (other,):
                if cut not in said:
                    said.append(cut)
    return said


def _ending(way: Phones) -> Phones:
    if way[-1] in _HISSING:
        return ("IH", "Z")
    return ("S",) if way[-1] in _VOICELESS else ("Z",)


def read_pronunciation(text: str) -> Phones:
    """Phones between spaces, stress allowed: ``S AO1 N AH0``; raises ConfigError."""
    phones = tuple(phone.rstrip("012") for phone in text.upper().split())
    wrong = [phone for phone in phones if phone not in PHONE_IDS or phone == "SIL"]
    if wrong or not phones:
        raise ConfigError(
            f"{wrong[0] if wrong else text!r} is no phone", remedy=" ".join(list(PHONE_IDS)[1:])
        )
    return phones
