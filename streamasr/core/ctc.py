"""Greedy CTC collapse that survives the edges of chunks, and tokens of a writer.

Best unit of each emission, repeats merged, blanks dropped. Only the last unit is
remembered across a chunk edge, so how the emissions were cut changes nothing, and
nothing that came out is ever taken back: a token is reported at the first emission of
its run, and the run's further emissions only stretch it in `GreedyCtc.tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamasr.core.units import BLANK

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Token:
    """One unit that came out; times count emissions from the utterance's first."""

    id: int
    start: int
    """The first emission of the run."""
    end: int
    """One past the last emission of the run, so far."""
    confidence: float
    """The run's highest probability so far, 0..1."""


class GreedyCtc:
    """Collapses the emissions of one utterance; `reset` makes it ready for the next."""

    def __init__(self, blank: int = BLANK) -> None:
        self._blank = blank
        self.tokens: list[Token] = []
        """All tokens of the utterance; the last may still stretch."""
        self.emissions = 0
        """Emissions seen."""
        self.blank_run = 0
        """Blank emissions since the last token, or since the start."""

    def push(self, log_probs: Floats) -> list[Token]:
        """Take log-probabilities [emissions, units]; return the tokens that began."""
        best = log_probs.argmax(axis=1)
        return self._take(best, log_probs.max(axis=1), merge=True)

    def push_written(self, written: Floats) -> list[Token]:
        """Take what a writer says, units and log-probabilities [emissions, 2]: each is a token
        of its own, even after the same one."""
        return self._take(written[:, 0].astype(np.int64), written[:, 1], merge=False)

    def _take(self, best: NDArray[np.int64], log_probs: Floats, *, merge: bool) -> list[Token]:
        known = len(self.tokens)
        for unit, peak in zip(best.tolist(), np.exp(log_probs).tolist(), strict=True):
            self._emission(unit, min(peak, 1.0), merge=merge)
        return self.tokens[known:]

    def reset(self) -> None:
        """Forget the utterance."""
        self.tokens = []
        self.emissions = 0
        self.blank_run = 0

    def _emission(self, unit: int, probability: float, *, merge: bool) -> None:
        at = self.emissions
        self.emissions += 1
        if unit == self._blank:
            self.blank_run += 1
            return
        last = self.tokens[-1] if self.tokens else None
        if merge and last is not None and self.blank_run == 0 and last.id == unit:
            peak = max(last.confidence, probability)
            self.tokens[-1] = replace(last, end=at + 1, confidence=peak)
        else:
            self.tokens.append(Token(unit, at, at + 1, probability))
        self.blank_run = 0
