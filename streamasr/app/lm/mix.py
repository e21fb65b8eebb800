"""Counts of several texts as those of their mixture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamasr.app.lm.estimate import Table


def mix_tables(parts: Sequence[Sequence[Table]], weights: Sequence[float]) -> list[Table]:
    """Counts of several texts as shares of a mixture, for `prune` to weigh histories by."""
    mixed = []
    for tables in zip(*parts, strict=True):
        keys = np.unique(np.concatenate([table.keys for table in tables]))
        counts = np.zeros(len(keys))
        for part, table, weight in zip(parts, tables, weights, strict=True):
            counts[np.searchsorted(keys, table.keys)] += weight * table.counts / _words(part)
        mixed.append(Table(keys, counts))
    return mixed


def _words(tables: Sequence[Table]) -> float:
    return float(tables[0].counts.sum())
