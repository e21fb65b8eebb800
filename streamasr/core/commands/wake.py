"""A wake phrase in a stream of phones: any phrase, for a chain of its phones is enough.

    spotter = Spotter([[("HH", "EY"), ("K", "AH", ...)]], threshold=-0.8)
    for emissions in steps:
        if spotter.push(emissions.phones):
            ...                                   # it has just been said

Along the chain every emission costs how far the phone of the chain lies behind the best
phone: the best path of all phones is the background that a phrase competes with. The phrase
was said where its cheapest way through ends at less than the threshold for each phone. A
pause may lie between words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONE_IDS, SILENCE
from streamasr.errors import ConfigError

Floats = NDArray[np.float32]

FEWEST_PHONES = 4
"""A phrase of fewer would be heard in everything."""
FLOOR = -8.0
"""Log ratios are not taken for less."""
SURE = math.log(0.2)
"""The best phone is taken for no less likely: where the model has no idea, in noise, nothing lies
close behind it."""
SLACK = 0.11
"""A phrase may lie behind by this for each of its phones: the longer it is, the less of it can
be heard by chance. Chosen with `SURE` on the phrases of bench/wake.py, for want of others."""
NEVER = np.float32(-1e9)


def lag(log_probs: Floats) -> Floats:
    """How far each phone lies behind the best one; log posteriors [..., phones]."""
    best = np.maximum(log_probs.max(axis=-1, keepdims=True), np.float32(SURE))
    return np.asarray(np.maximum(log_probs - best, FLOOR), np.float32)


class Spotter:
    """Listens for one phrase, each word of which may be said in several ways."""

    def __init__(
        self, ways: Sequence[Sequence[Sequence[str]]], threshold: float | None = None
    ) -> None:
        """``ways`` are whole phrases: words of phones. Raises ConfigError for a short one.

        Without a threshold the length of the phrase decides: see `SLACK`.
        """
        self._chains = [_Chain(way) for way in ways]
        shortest = min((chain.phones for chain in self._chains), default=0)
        if shortest < FEWEST_PHONES:
            raise ConfigError(
                "the wake phrase is too short", remedy="three syllables or more, such as hey jarvis"
            )
        self.threshold = -SLACK * shortest if threshold is None else threshold
        self.score = float(NEVER)
        """Of the emission pushed last: the mean log ratio of the cheapest way that ends there."""

    def push(self, log_probs: Floats) -> bool:
        """Take log posteriors [emissions, phones]; says whether the phrase ended in them."""
        behind = lag(log_probs)
        found = False
        for row in behind:
            self.score = max(chain.push(row) for chain in self._chains)
            found = found or self.score >= self.threshold
        return found

    def reset(self) -> None:
        """Forget what was heard."""
        for chain in self._chains:
            chain.reset()


class _Chain:
    """The cheapest way to each phone of one way to say the phrase."""

    def __init__(self, words: Sequence[Sequence[str]]) -> None:
        states: list[int] = []
        skips: list[bool] = []  # may be entered past the pause before it
        for word in words:
            if states:
                states.append(SILENCE)
                skips.append(False)
            states += [PHONE_IDS[phone] for phone in word]
            skips += [len(states) > len(word)] + [False] * (len(word) - 1)
        self.phones = sum(state != SILENCE for state in states)
        self._states = np.array(states)
        self._may_skip = np.flatnonzero(skips)
        self._sounds = (self._states != SILENCE).astype(np.int32)
        self.reset()

    def reset(self) -> None:
        self._costs = np.full(len(self._states), NEVER, np.float32)
        self._lengths = np.zeros(len(self._states), np.int32)  # emissions that sound

    def push(self, behind: Floats) -> float:
        """The score of the phrase's ending at this emission."""
        before, lengths = np.empty_like(self._costs), np.zeros_like(self._lengths)
        before[0] = 0.0  # it may begin at any time
        before[1:], lengths[1:] = self._costs[:-1], self._lengths[:-1]
        for state in self._may_skip:
            if self._costs[state - 2] > before[state]:
                before[state], lengths[state] = self._costs[state - 2], self._lengths[state - 2]
        goes_on = self._costs >= before
        self._costs = np.where(goes_on, self._costs, before) + behind[self._states]
        self._lengths = np.where(goes_on, self._lengths, lengths) + self._sounds
        return float(self._costs[-1]) / max(1, int(self._lengths[-1]))
