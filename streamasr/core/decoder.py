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
from streamasr.core.endpoint import Outlook
from streamasr.core.model import Emissions
from streamasr.core.proofreading import Proofreader
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

    @property
    def outlook(self) -> Outlook:
        """Whether more may follow what was said, must, or cannot."""
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

    A word is settled as soon as the next one opens. With a ``proofreader`` it is then mended if
    it is none, and before that only shown while it is a common word. Times are where units came
    out of the model, which trails the speech by its emission delay; no correction is made for it.
    A word is as sure as its least certain unit. ``stretch`` emissions of the stream's clock
    pass from one emission of units to the next.
    """

    outlook: Outlook = "open"

    def __init__(
        self,
        units: Units,
        blank: int = BLANK,
        stretch: int = 1,
        proofreader: Proofreader | None = None,
    ) -> None:
        self.text = ""
        self._units = units
        self._stretch = stretch
        self._proofreader = proofreader
        self._ctc = GreedyCtc(blank)
        self._words: list[DecodedWord] = []  # those that cannot change any more
        self._settled = 0  # tokens in those words
        self._shown = ""  # of the open word

    @property
    def quiet(self) -> int:
        return self._ctc.blank_run * self._stretch

    def push(self, emissions: Emissions) -> bool:
        written = emissions.written
        came = (
            self._ctc.push(emissions.units) if written is None else self._ctc.push_written(written)
        )
        for end in range(len(self._ctc.tokens) - len(came), len(self._ctc.tokens)):
            if self._units.opens_word(self._ctc.tokens[end].id):
                self._settle(end)
            self._show(end + 1)
        return bool(came) and self._tell()

    def finish(self) -> None:
        """Settle the open word, if it has letters yet."""
        end = len(self._ctc.tokens)
        if self._spelt(end):
            self._settle(end)
            self._tell()

    def words(self) -> tuple[DecodedWord, ...]:
        """The words so far; the last may still grow."""
        if not self._shown:
            return tuple(self._words)
        return (*self._words, self._word(self._shown, self._ctc.tokens[self._settled :]))

    def alternatives(self, most: int) -> tuple[Alternative, ...]:
        """None: nothing else is ever looked at."""
        return ()

    def _settle(self, end: int) -> None:
        """The open word is complete with the tokens before ``end``."""
        word = self._spelt(end)
        if self._proofreader is not None:
            word = self._proofreader.mend(word, self._shown)
        if word:
            self._words.append(self._word(word, self._ctc.tokens[self._settled : end]))
        self._settled, self._shown = end, ""

    def _show(self, end: int) -> None:
        """Show the open word as the tokens before ``end`` spell it, if that may be."""
        word = self._spelt(end)
        if self._proofreader is None or self._proofreader.is_common(word):
            self._shown = word

    def _spelt(self, end: int) -> str:
        """The letters of the open word up to the token ``end``."""
        return self._units.text(token.id for token in self._ctc.tokens[self._settled : end])

    def _tell(self) -> bool:
        before = len(self.text)
        words = [word.text for word in self._words]
        self.text = " ".join([*words, self._shown] if self._shown else words)
        return len(self.text) > before

    def _word(self, text: str, tokens: Sequence[Token]) -> DecodedWord:
        return DecodedWord(
            text,
            start=tokens[0].start * self._stretch,
            end=tokens[-1].end * self._stretch,
            confidence=min(token.confidence for token in tokens),
        )
