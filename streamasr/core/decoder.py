"""What turns the emissions of one utterance into words, and the greedy way to do it.

There are two: greedy, whose text only grows, and the search over a graph
(`core.graphdecoder`), which is slower, more accurate, and corrects itself at the end. A
decoder lives as long as its utterance and knows time only as a count of emissions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from streamasr.core.ctc import GreedyCtc, Token
from streamasr.core.model import Emissions
from streamasr.core.units import BLANK, Units


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """One word of a hypothesis; times count emissions from the utterance's first."""

    text: str
    start: float
    end: float
    confidence: float
    """0..1"""


class Alternative(NamedTuple):
    """Words that might have been said instead."""

    likelihood: float
    """Against what was chosen, 0..1."""
    words: tuple[DecodedWord, ...]


class Decoder(Protocol):
    """Decodes one utterance."""

    @property
    def text(self) -> str:
        """What may be shown."""
        ...

    @property
    def quiet(self) -> int:
        """Emissions since the last word, or since the start."""
        ...

    def push(self, emissions: Emissions) -> bool:
        """Take emissions, any number; says whether the text grew."""
        ...

    def finish(self) -> None:
        """No more emissions: settle the text."""
        ...

    def words(self) -> tuple[DecodedWord, ...]:
        """The words of the text, in order."""
        ...

    def alternatives(self, most: int) -> tuple[Alternative, ...]:
        """After `finish`: other texts, likeliest first; none where nothing else was thought of."""
        ...


class GreedyDecoder:
    """The best unit of each emission: microseconds, and nothing is ever taken back.

    A word is settled as soon as the next one opens. Times are where units came out of
    the model, which trails the speech by its emission delay; no correction is made for it.
    A word is as sure as its least certain unit. ``stretch`` emissions of the stream's clock
    pass from one emission of units to the next.
    """

    def __init__(self, units: Units, blank: int = BLANK, stretch: int = 1) -> None:
        self.text = ""
        self._units = units
        self._stretch = stretch
        self._ctc = GreedyCtc(blank)
        self._words: list[DecodedWord] = []  # those that cannot change any more
        self._settled = 0  # tokens in those words

    @property
    def quiet(self) -> int:
        return self._ctc.blank_run * self._stretch

    def push(self, emissions: Emissions) -> bool:
        written = emissions.written
        came = (
            self._ctc.push(emissions.units) if written is None else self._ctc.push_written(written)
        )
        if not came:
            return False
        before = len(self.text)
        self.text = self._units.text(token.id for token in self._ctc.tokens)
        return len(self.text) > before

    def finish(self) -> None:
        """The text is final as it is."""

    def words(self) -> tuple[DecodedWord, ...]:
        """The words so far; the last may still grow."""
        fresh = self._ctc.tokens[self._settled :]
        groups = self._units.words([token.id for token in fresh])
        if not groups:
            return tuple(self._words)
        words = [self._word([fresh[i] for i in group]) for group in groups]
        self._words += words[:-1]
        self._settled += groups[-1][0]
        return (*self._words, words[-1])

    def alternatives(self, most: int) -> tuple[Alternative, ...]:
        """None: nothing else is ever looked at."""
        return ()

    def _word(self, tokens: Sequence[Token]) -> DecodedWord:
        return DecodedWord(
            self._units.text(token.id for token in tokens),
            start=tokens[0].start * self._stretch,
            end=tokens[-1].end * self._stretch,
            confidence=min(token.confidence for token in tokens),
        )
