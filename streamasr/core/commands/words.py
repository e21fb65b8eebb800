"""A word in a stream of sound, by a classifier that looks at one window after the other.

    spotter = WordSpotter(classify, labels, word="alexa", window=16_240)
    for samples in blocks:
        for spotted in spotter.push(samples):
            ...                                   # it has just been said

Every `STEP` samples the last window is classified, once there is a whole one. The word was said
where its probability, averaged over the last windows, reaches the threshold; after that none is
heard for `REST` samples, for one word fills many windows. Where no word can be, ``is_open``
False spares the work: the audio is only remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE
from streamasr.errors import ConfigError

Floats = NDArray[np.float32]
Classify = Callable[[Floats], Floats]
"""Windows [batch, window] to log-probabilities [batch, classes]."""

OTHER = "_other"
"""The class of all that is no word."""
STEP = SAMPLE_RATE * 80 // 1000
REST = SAMPLE_RATE
AVERAGED = 3
"""Windows."""
AT_ONCE = 32
"""Windows that are classified as one batch, where so much audio comes at once."""
THRESHOLD = 0.9


@dataclass(frozen=True, slots=True)
class Spotted:
    """A word that was said."""

    word: str
    at: int
    """Samples from the beginning to where it was sure."""
    score: float
    """Its probability then, 0..1."""


class WordSpotter:
    """Listens for some words of a classifier, or for all."""

    def __init__(
        self,
        classify: Classify,
        labels: Sequence[str],
        *,
        window: int,
        words: Sequence[str] = (),
        threshold: float = THRESHOLD,
    ) -> None:
        """``words`` are those to listen for; none means all. Raises ConfigError for others."""
        known = [label for label in labels if label != OTHER]
        missing = [word for word in words if word not in known]
        if missing:
            raise ConfigError(
                f"the word classifier does not know {', '.join(map(repr, missing))}",
                remedy=f"it knows {', '.join(known)}",
            )
        if not 0.0 < threshold <= 1.0:
            raise ConfigError(f"the threshold of a word lies in 0..1, got {threshold:g}")
        self._classify = classify
        self._labels = tuple(labels)
        self._wanted = [labels.index(word) for word in words or known]
        self._window = window
        self.threshold = threshold
        self.position = 0
        """Samples so far."""
        self.score = 0.0
        """Of the likeliest word, in the last windows."""
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; positions go on."""
        self._audio = np.zeros(self._window, np.float32)
        self._missing = self._window  # samples, until there is a whole window
        self._fill = 0  # samples since the last window
        self._recent: list[Floats] = []
        self._rest = 0

    def push(self, samples: Floats, *, is_open: bool = True) -> list[Spotted]:
        """Take audio: float32 [n], any n. What was said in it, in order."""
        joined = np.concatenate([self._audio, samples])
        first = STEP - self._fill  # samples up to the end of the next window
        ends = [e for e in range(first, len(samples) + 1, STEP) if e >= self._missing]
        origin = self.position
        self.position += len(samples)
        self._missing -= min(self._missing, len(samples))
        self._fill = (self._fill + len(samples)) % STEP
        self._audio = joined[-self._window :].copy()
        if not is_open:
            self._recent.clear()
            self._rest -= min(self._rest, len(samples))
            return []
        found = []
        for at in range(0, len(ends), AT_ONCE):
            some = ends[at : at + AT_ONCE]
            windows = np.stack([joined[end : end + self._window] for end in some])
            for end, row in zip(some, np.exp(self._classify(windows)), strict=True):
                found += self._judge(row, origin + end)
        return found

    def _judge(self, row: Floats, at: int) -> list[Spotted]:
        self._recent = [*self._recent[1 - AVERAGED :], row]
        mean = np.sum(self._recent, axis=0) / AVERAGED
        best = max(self._wanted, key=lambda label: float(mean[label]))
        self.score = float(mean[best])
        self._rest -= min(self._rest, STEP)
        if self._rest or self.score < self.threshold:
            return []
        self._rest = REST
        return [Spotted(self._labels[best], at, self.score)]
