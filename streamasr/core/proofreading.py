"""Greedy text against a list of words: "pople" becomes "people".

The writer spells letter by letter what it heard and knows no dictionary, so one word in seven
of its text is none. Keeping it to a dictionary while it writes makes it stumble: it is led into
words that it cannot leave. A word that is none is better mended once it is complete, by the
nearest word of the list, as spelling programs do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

MOST_EDITS = 3
"""Letters to put in, take out or change; half of a short word's letters."""
RARITY = 0.15
"""Edits that a word costs for each time that it is e times rarer."""
USUAL = 20
"""Ranks up to about this one count as equally frequent."""
COMMON = 2000
"""Words that are shown before it is known whether they go on: rarer ones often do ("pop",
"popular"), and what was shown stays."""
CACHE = 8192


class Proofreader:
    """Finds the nearest word of a list; streams may share one."""

    def __init__(self, words: Iterable[str]) -> None:
        """``words`` in lower case, the most frequent first."""
        self._ranks: dict[str, int] = {}
        for word in words:
            self._ranks.setdefault(word, len(self._ranks))
        by_shape = sorted(self._ranks, key=_shape)
        self._alike = {shape: tuple(alike) for shape, alike in groupby(by_shape, key=_shape)}
        self._nearest = lru_cache(CACHE)(self._search)

    def __len__(self) -> int:
        return len(self._ranks)

    def is_common(self, word: str) -> bool:
        """Whether a word may be shown while it might still go on."""
        return self._ranks.get(word, COMMON) < COMMON

    def mend(self, word: str, shown: str = "") -> str:
        """The word itself if it is listed; else the nearest that begins with it and with what was
        ``shown`` of it; else the word itself."""
        if not word or word in self._ranks:
            return word
        return self._nearest(word, shown)

    def _search(self, word: str, shown: str) -> str:
        most = min(MOST_EDITS, max(1, len(word) // 2))
        best, least = word, math.inf
        for size in range(len(word) - most, len(word) + most + 1):
            alike = self._alike.get((word[0], size), ())
            if not alike:
                continue
            for edits, index in _near(word, alike, most):
                candidate = alike[index]
                cost = edits + RARITY * math.log(self._ranks[candidate] + USUAL)
                if cost < least and candidate.startswith(shown):
                    best, least = candidate, cost
        return best


def _shape(word: str) -> tuple[str, int]:
    return word[:1], len(word)


def _near(word: str, words: Sequence[str], most: int) -> list[tuple[int, int]]:
    """Edits and index of all words at most so many edits away."""
    edits = process.cdist(
        [word], words, scorer=Levenshtein.distance, score_cutoff=most, dtype=np.int32
    )[0]
    near = np.flatnonzero(edits <= most)
    return list(zip(edits[near].tolist(), near.tolist(), strict=True))
