"""One utterance while it is open: log-probabilities in, growing text and timed words out.

Nothing is ever taken back: text only gains characters, and a word is settled as soon as
the next one opens. Times are where units came out of the model, which trails the speech
by the model's emission delay; no correction is made for it here. A word is as sure as
its least certain unit, an utterance as its words on average.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.ctc import GreedyCtc, Token
from streamasr.core.events import EndReason, Event, Final, Partial, SpeechEnded, Word
from streamasr.core.model import ModelFacts


class Utterance:
    """What is known of an utterance; positions are those of its stream."""

    def __init__(self, facts: ModelFacts, index: int, *, start: int, origin: int) -> None:
        self.index = index
        self.start = start
        """The first speech."""
        self.origin = origin
        """The first sample decoded; the pre-roll lies between the two."""
        self.heard = origin
        """Position up to which audio went into steps."""
        self.decoded = origin
        """Position up to which the model answered."""
        self.steps = 0
        """Steps made."""
        self.text = ""
        self._units = facts.units
        self._hop = facts.emission_samples
        self._ctc = GreedyCtc(facts.blank)
        self._words: list[Word] = []  # those that cannot change any more
        self._settled = 0  # tokens in those words

    @property
    def blank(self) -> int:
        """Samples of blank emissions since the last token, or since the origin."""
        return self._ctc.blank_run * self._hop

    def push(self, log_probs: NDArray[np.float32]) -> bool:
        """Take log-probabilities [emissions, units]; says whether the text grew."""
        if not self._ctc.push(log_probs):
            return False
        before = len(self.text)
        self.text = self._units.text(token.id for token in self._ctc.tokens)
        return len(self.text) > before

    def words(self) -> tuple[Word, ...]:
        """The words so far, in order; the last may still grow."""
        fresh = self._ctc.tokens[self._settled :]
        groups = self._units.words([token.id for token in fresh])
        if not groups:
            return tuple(self._words)
        words = [self._word([fresh[i] for i in group]) for group in groups]
        self._words += words[:-1]
        self._settled += groups[-1][0]
        return (*self._words, words[-1])

    def partial(self, *, with_words: bool) -> Partial:
        """The text as it stands, which must not be empty."""
        words = self.words()
        return Partial(
            self.index,
            self.text,
            start=min(self.start, words[0].start),
            end=self.decoded,
            words=words if with_words else (),
        )

    def conclude(self, reason: EndReason, at: int, *, with_words: bool) -> list[Event]:
        """The last events: a Final if there is text, and SpeechEnded, at ``at``."""
        at = max(at, self.start)
        ended = SpeechEnded(self.index, at)
        if not self.text:
            return [ended]
        words = self.words()
        final = Final(
            self.index,
            self.text,
            start=min(self.start, words[0].start),
            end=max(at, words[-1].end),
            words=words if with_words else (),
            confidence=sum(word.confidence for word in words) / len(words),
            reason=reason,
        )
        return [final, ended]

    def _word(self, tokens: Sequence[Token]) -> Word:
        """No word lies beyond the audio, although units come out of the silence after it."""
        start = self.origin + tokens[0].start * self._hop
        end = self.origin + tokens[-1].end * self._hop
        return Word(
            text=self._units.text(token.id for token in tokens),
            start=max(min(start, self.heard - self._hop), self.origin),
            end=min(end, self.heard),
            confidence=min(token.confidence for token in tokens),
        )
