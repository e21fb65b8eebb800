"""Does anybody speak? What an open gate lets through may be noise or music.

A phone head that hears speech is sure of its phones; in noise and music it says silence,
or cannot decide. The evidence is the probability of the best phone, averaged over the
emissions that are not silence: 0.77 at the median of clean utterances, 0.67 with noise
10 dB below the voice, 0.26 where the shipped model finds words in noise and music. The
threshold belongs to a model and lies in its bundle.

Only the last WINDOW such emissions count, so a command over music is heard although
minutes of music came before it. An open utterance must outweigh an amount of doubt before
its text is shown, for what was shown is never taken back; its end decides without.

A word has a vowel, so without one nothing is speech: hiss that swells and fades is taken for
F and SH, and surely so. And a click is too short for a word. Music hums vowels: without any
consonant it takes more to be believed.

Noise is taken for one word, hardly ever for several: an utterance of several words is believed
on less evidence, once it is over.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONES, SILENCE, VOWELS

Floats = NDArray[np.float32]
LOG_HALF = math.log(0.5)
WINDOW = 50
"""Emissions that are not silence: two seconds of sound."""
DOUBT = 8
"""Emissions of half the threshold that an open utterance must outweigh."""
FEWEST = 5
"""Emissions that are not silence in the shortest word: a fifth of a second."""
SEVERAL = 0.8
"""Share of the threshold that is enough where several words were heard."""
HUM = 1.5
"""Times the threshold: enough where only vowels were heard."""
SHARE_OF_SPEECH = 0.47
"""A model's threshold, as a share of `certainty` on clean speech."""


class Presence:
    """The evidence of one utterance; once it is sure of speech it stays so."""

    def __init__(self, threshold: float) -> None:
        """With a threshold of zero everything is speech."""
        self.is_sure = threshold <= 0.0
        self._threshold = threshold
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._had_vowel = False
        self._had_consonant = False

    def push(self, phones: Floats | None) -> None:
        """Take log-probabilities [emissions, phones]; a model without them is believed."""
        if phones is None:
            self.is_sure = True
        if self.is_sure or phones is None:
            return
        for best, is_vowel, is_consonant in _bests(phones):
            self._recent.append(best)
            self._had_vowel = self._had_vowel or is_vowel
            self._had_consonant = self._had_consonant or is_consonant
            doubt = DOUBT if len(self._recent) < WINDOW else 0
            mean = (sum(self._recent) + doubt * self._threshold / 2) / (len(self._recent) + doubt)
            if self._had_vowel and mean >= self._enough:
                self.is_sure = True
                return

    @property
    def _enough(self) -> float:
        return self._threshold * (1.0 if self._had_consonant else HUM)

    def finish(self, words: int = 1) -> None:
        """The utterance is over: a short one is judged by what there was."""
        count = len(self._recent)
        if count >= FEWEST and self._had_vowel:
            enough = self._enough * (SEVERAL if words > 1 else 1.0)
            self.is_sure = self.is_sure or sum(self._recent) / count >= enough


def certainty(phones: Floats) -> float:
    """Mean probability of the best phone over what is not silence; 0 if all of it is."""
    bests = [best for best, *_ in _bests(phones)]
    return sum(bests) / len(bests) if bests else 0.0


def _bests(phones: Floats) -> list[tuple[float, bool, bool]]:
    """Probability of the best phone of each emission that is not silence; is it a vowel? Is it
    a consonant, and likelier than silence?"""
    silence = phones[:, SILENCE].tolist()
    others = phones[:, SILENCE + 1 :]  # silence comes first
    which, best = others.argmax(axis=1), others.max(axis=1)
    vowels = _IS_VOWEL[which + 1].tolist()
    return [
        (math.exp(b), vowel, not vowel and b > s)
        for s, b, vowel in zip(silence, best.tolist(), vowels, strict=True)
        if s < LOG_HALF
    ]


_IS_VOWEL = np.isin(PHONES, VOWELS)
