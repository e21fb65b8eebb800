"""Weigh texts against each other: how much each model counts in a linear mixture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.app.lm.estimate import Table
from streamasr.edge.lm.ngram import END, START, UNKNOWN, NGram
from streamasr.errors import ConfigError


def mixture_weights(
    models: Sequence[NGram], sentences: Sequence[Sequence[str]], *, rounds: int = 30
) -> list[float]:
    """Weights under which the models' mixture makes ``sentences`` likeliest.

    Expectation maximisation (Jelinek and Mercer 1980); unknown words are left out.
    """
    logs = np.array([word_log_probs(model, sentences) for model in models])
    if not logs.size:
        raise ConfigError("no sentences to weigh models on")
    probs = np.exp(logs)
    weights = np.full(len(models), 1 / len(models))
    for _ in range(rounds):
        shares = weights[:, None] * probs
        weights = (shares / shares.sum(0)).mean(1)
    return [float(weight) for weight in weights]


def word_log_probs(model: NGram, sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Log-probability of every known word and sentence end, sentence after sentence."""
    top, base = len(model.orders), model.base
    ids = [i for words in sentences for i in (START, *model.encode(words), END)]
    stream = np.array(ids, np.int64)
    since = np.arange(len(stream)) - np.maximum.accumulate(
        np.where(stream == START, np.arange(len(stream)), 0)
    )
    logs = np.zeros(len(stream))
    wanted = (stream != START) & (stream != UNKNOWN)
    for length in range(2, top + 1):
        at = np.flatnonzero(wanted & ((since >= top - 1) if length == top else since == length - 1))
        keys = np.zeros(len(at), np.int64)
        for offset in range(1 - length, 1):
            keys = keys * base + stream[at + offset]
        logs[at] = model.score(keys, length)
    if top == 1:
        logs[wanted] = model.score(stream[wanted], 1)
    found: NDArray[np.float64] = logs[wanted]
    return found


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
