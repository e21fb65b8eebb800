"""Word error rate: alignment of words, totals, and a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True)
class Errors:
    """Edit counts against a reference of ``length`` tokens."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    length: int = 0

    @property
    def total(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference token; insertions against nothing count as 1 each."""
        return self.total / max(1, self.length)

    def __add__(self, other: Self) -> Errors:
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.length + other.length,
        )


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> Errors:
    """Levenshtein alignment with unit costs (Wagner and Fischer 1974)."""
    # One row of (cost, substitutions, deletions, insertions); tuples compare by cost first.
    row = [(j, 0, 0, j) for j in range(len(hypothesis) + 1)]
    for i, expected in enumerate(reference, start=1):
        diagonal, row[0] = row[0], (i, 0, i, 0)
        for j, heard in enumerate(hypothesis, start=1):
            if heard == expected:
                best = diagonal
            else:
                cost, s, d, n = diagonal
                best = (cost + 1, s + 1, d, n)
                cost, s, d, n = row[j]
                best = min(best, (cost + 1, s, d + 1, n), key=lambda c: c[0])
                cost, s, d, n = row[j - 1]
                best = min(best, (cost + 1, s, d, n + 1), key=lambda c: c[0])
            diagonal, row[j] = row[j], best
    _, substitutions, deletions, insertions = row[-1]
    return Errors(substitutions, deletions, insertions, len(reference))


def bootstrap_interval(
    errors: Sequence[Errors], *, level: float = 0.95, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the rate over resampled utterances (Bisani and Ney 2004)."""
    totals = np.array([e.total for e in errors], np.float64)
    lengths = np.array([e.length for e in errors], np.float64)
    picks = np.random.default_rng(seed).integers(len(errors), size=(rounds, len(errors)))
    rates = totals[picks].sum(axis=1) / np.maximum(1.0, lengths[picks].sum(axis=1))
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
