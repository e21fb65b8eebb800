"""What a classifier gets right: accuracy, precision, recall, and the confusions as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each class was taken for each."""

    labels: tuple[str, ...]
    counts: Counts
    """[what it was, what it was taken for]"""

    @classmethod
    def count(cls, labels: Sequence[str], truth: Sequence[int], taken: Sequence[int]) -> Confusion:
        """Count pairs of classes."""
        counts = np.zeros((len(labels), len(labels)), np.int64)
        np.add.at(counts, (np.asarray(truth, int), np.asarray(taken, int)), 1)
        return cls(tuple(labels), counts)

    def __add__(self, other: Confusion) -> Confusion:
        assert self.labels == other.labels
        return Confusion(self.labels, self.counts + other.counts)

    @property
    def accuracy(self) -> float:
        """Share that was right; 0 of nothing."""
        return float(self.counts.trace() / max(1, self.counts.sum()))

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of what was taken for each class, the share that was it; 0 where nothing was."""
        return _share(self.counts.diagonal(), self.counts.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of each class, the share that was found; 0 where there was none."""
        return _share(self.counts.diagonal(), self.counts.sum(axis=1))

    def figures(self) -> dict[str, Any]:
        """Everything as plain numbers."""
        precision, recall = self.precision, self.recall
        there = self.counts.sum(axis=1) > 0
        return {
            "examples": int(self.counts.sum()),
            "accuracy": round(self.accuracy, 5),
            "precision": round(float(precision[there].mean()) if there.any() else 0.0, 5),
            "recall": round(float(recall[there].mean()) if there.any() else 0.0, 5),
            "classes": {
                label: {
                    "examples": int(self.counts[row].sum()),
                    "precision": round(float(precision[row]), 5),
                    "recall": round(float(recall[row]), 5),
                }
                for row, label in enumerate(self.labels)
            },
            "confusion": self.counts.tolist(),
        }

    def draw(self, file: Path, title: str = "") -> None:
        """Draw the matrix: shares of a row as shades, counts as numbers."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        side = max(4.0, 0.6 * len(self.labels) + 2.0)
        figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
        shares = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        for row, column in zip(*np.nonzero(self.counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            number = str(self.counts[row, column])
            axes.text(column, row, number, ha="center", va="center", color=colour)
        places = range(len(self.labels))
        axes.set_xticks(places, self.labels, rotation=45, ha="right")
        axes.set_yticks(places, self.labels)
        axes.set(xlabel="taken for", ylabel="was", title=title or f"{self.accuracy:.2%} right")
        figure.savefig(file, dpi=110)
        plt.close(figure)


def _share(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.asarray(part / np.maximum(1, whole), np.float64)
