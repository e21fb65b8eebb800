"""Precision, recall and F1 of labels.

f1(said=[1, 0, 2], wanted=[1, 2, 2], label=2).f1      # 0.667
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Score:
    """How well one label was found."""

    right: int
    said: int
    wanted: int

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        total = self.said + self.wanted
        return 2 * self.right / total if total else 0.0


def f1(said: ArrayLike, wanted: ArrayLike, label: int) -> Score:
    """Compare labels [n] with those that were wanted [n]; negative ones do not count."""
    said, wanted = np.asarray(said), np.asarray(wanted)
    counts = wanted >= 0
    is_said, is_wanted = counts & (said == label), counts & (wanted == label)
    return Score(int((is_said & is_wanted).sum()), int(is_said.sum()), int(is_wanted.sum()))
