"""The output vocabulary: ids to text, joined append-only.

Units follow the sentencepiece convention: "▁" opens a word. Id 0 is the CTC blank. The
text of a growing list of units only ever grows, which is what keeps partials stable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from streamasr.errors import BundleError

BLANK = 0
BLANK_SYMBOL = "<blank>"
WORD_START = "▁"


@dataclass(frozen=True, slots=True)
class Units:
    """An ordered vocabulary whose first entry is the blank."""

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.symbols) < 2 or self.symbols[BLANK] != BLANK_SYMBOL:
            raise BundleError(f"a unit list begins with {BLANK_SYMBOL} and has one more at least")
        if len(set(self.symbols)) != len(self.symbols):
            raise BundleError("the unit list holds the same unit twice")
        if "" in self.symbols:
            raise BundleError("the unit list holds an empty unit")

    def __len__(self) -> int:
        return len(self.symbols)

    @classmethod
    def parse(cls, text: str) -> Units:
        """Read the contents of ``units.txt``: one unit a line, in the order of ids."""
        return cls(tuple(text.removesuffix("\n").split("\n")))

    def dump(self) -> str:
        return "\n".join(self.symbols) + "\n"

    def opens_word(self, unit: int) -> bool:
        return self.symbols[unit].startswith(WORD_START)

    def text(self, ids: Iterable[int]) -> str:
        """Join units into text; appending ids only ever appends characters.

        >>> Units(("<blank>", "▁he", "llo", "▁")).text([1, 2, 3, 1])
        'hello he'
        """
        joined = "".join(self.symbols[i] for i in ids if i != BLANK)
        words = [word for word in joined.split(WORD_START) if word]
        return " ".join(words)

    def words(self, ids: Sequence[int]) -> list[list[int]]:
        """Group the indices of ``ids`` by word; a lone "▁" belongs to the word it opens.

        >>> Units(("<blank>", "▁he", "llo", "▁")).words([1, 2, 3, 1])
        [[0, 1], [3]]
        """
        groups: list[list[int]] = []
        for index, unit in enumerate(ids):
            if self.opens_word(unit) or not groups:
                groups.append([])
            groups[-1].append(index)
        return [g for g in groups if any(self.symbols[ids[i]] != WORD_START for i in g)]


class Speller:
    """Byte-pair encoding by the order of the units, as they were learnt."""

    def __init__(self, units: Units) -> None:
        self._ids = {symbol: i for i, symbol in enumerate(units.symbols) if i != BLANK}
        self.spell = lru_cache(maxsize=20_000)(self._spell)

    def _spell(self, word: str) -> tuple[int, ...]:
        """Unit ids of a word; empty where a letter has no unit."""
        pieces = [WORD_START, *word]
        absent = len(self._ids) + 1
        while len(pieces) > 1:
            ranks = [self._ids.get(a + b, absent) for a, b in pairwise(pieces)]
            best = min(ranks)
            if best == absent:
                break
            at = ranks.index(best)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        if any(piece not in self._ids for piece in pieces):
            return ()
        return tuple(self._ids[piece] for piece in pieces)
