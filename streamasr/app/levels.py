"""Notices a microphone that is muted, and one that is turned up too far.

watch = LevelWatch()
for note in watch.accept(samples):
    show(note)
"""

from __future__ import annotations

import numpy as np

from streamasr.core.audio import Samples
from streamasr.core.features import SAMPLE_RATE

QUIETEST = 1 / 32768
"""Below the last bit of 16-bit audio lies only digital silence."""
FULL_SCALE = 0.999
SILENT_S = 3.0
CLIPPED_SHARE = 0.005
"""Share of the samples of a second; the peaks of healthy speech clip none."""
REPEAT_S = 30.0


def peak(samples: Samples) -> float:
    """The largest magnitude in float32 [n]; 0.0 of nothing."""
    return float(np.abs(samples).max(initial=0.0))


class LevelWatch:
    """Watches 16 kHz audio in blocks of any length."""

    def __init__(self) -> None:
        self._heard = 0
        self._silent = 0  # samples of digital silence up to now
        self._told_silent = False
        self._second = 0  # samples of the second that is being judged
        self._clipped = 0  # of them, at full scale
        self._quiet_until = 0  # no further word of clipping before this position

    def accept(self, samples: Samples) -> list[str]:
        """Take float32 [n]; return what the person should know."""
        self._heard += len(samples)
        return [note for note in (self._silence(samples), self._clipping(samples)) if note]

    def _silence(self, samples: Samples) -> str:
        if peak(samples) >= QUIETEST:
            self._silent = 0
            self._told_silent = False
            return ""
        self._silent += len(samples)
        if self._told_silent or self._silent < SILENT_S * SAMPLE_RATE:
            return ""
        self._told_silent = True
        return (
            "the microphone gives digital silence: it is muted, or the wrong one "
            "(`streamasr devices` lists them)"
        )

    def _clipping(self, samples: Samples) -> str:
        self._second += len(samples)
        self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        if self._second < SAMPLE_RATE:
            return ""
        too_loud = self._clipped > CLIPPED_SHARE * self._second
        self._second = self._clipped = 0
        if not too_loud or self._heard < self._quiet_until:
            return ""
        self._quiet_until = self._heard + round(REPEAT_S * SAMPLE_RATE)
        return "the microphone clips: turn its level down, or words will be misheard"
