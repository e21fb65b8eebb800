"""Make models smaller or mix them; both keep every history's probabilities summing to one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamasr.app.lm.estimate import Table
from streamasr.edge.lm.ngram import Floats, Keys, NGram, Order
from streamasr.errors import ConfigError

TINY = 1e-12


def prune(model: NGram, tables: Sequence[Table], threshold: float) -> NGram:
    """Drop n-grams whose loss raises perplexity by less than the share ``threshold``.

    Stolcke 1998, but histories are weighted by how often they were seen (``tables``, as
    given to `estimate`): a Kneser-Ney model's own lower orders do not tell that.
    Higher orders go first; an n-gram that something longer still needs stays.
    """
    kept = [order.keys for order in model.orders]
    for length in range(len(model.orders), 1, -1):
        gain = _perplexity_gain(model, tables, length)
        stays = gain >= threshold
        if length < len(model.orders):
            order = model.orders[length - 1]
            needed, _ = order.find(np.unique(kept[length] // model.base))
            stays[needed] = True
        kept[length - 1] = kept[length - 1][stays]
    return restrict(model, kept)


def _perplexity_gain(model: NGram, tables: Sequence[Table], length: int) -> Floats:
    """Relative rise of perplexity from dropping each n-gram of ``length`` alone."""
    order, shorter = model.orders[length - 1], model.orders[length - 2]
    group, _ = shorter.find(order.keys // model.base)
    lower = model.score(order.keys % model.base ** (length - 1), length - 1)
    upper = order.log_probs
    size = len(shorter.keys)
    free = np.maximum(1 - np.bincount(group, np.exp(upper), size), TINY)
    free_lower = np.maximum(1 - np.bincount(group, np.exp(lower), size), TINY)
    table = tables[length - 2]
    total = tables[0].counts.sum()
    at = np.minimum(np.searchsorted(table.keys, shorter.keys), len(table.keys) - 1)
    seen = np.where(table.keys[at] == shorter.keys, table.counts[at], 0.0) / total
    backoff = np.log((free[group] + np.exp(upper)) / (free_lower[group] + np.exp(lower)))
    lost = np.exp(upper) * (lower + backoff - upper)
    lost += free[group] * (backoff - shorter.backoffs[group])
    return np.asarray(np.expm1(-seen[group] * lost))


def interpolate(models: Sequence[NGram], weights: Sequence[float]) -> NGram:
    """One back-off model over all n-grams of ``models``, probabilities mixed linearly.

    All models have the same vocabulary and length; weights sum to one.
    """
    first = models[0]
    if any(m.words != first.words or len(m.orders) != len(first.orders) for m in models):
        raise ConfigError("models to mix must share vocabulary and length")
    if abs(sum(weights) - 1) > 1e-6 or min(weights) < 0:
        raise ConfigError(f"weights must be positive and sum to one, got {list(weights)}")
    orders = []
    for length in range(1, len(first.orders) + 1):
        keys = np.unique(np.concatenate([m.orders[length - 1].keys for m in models]))
        mixed = np.zeros(len(keys))
        for model, weight in zip(models, weights, strict=True):
            mixed += weight * np.exp(model.score(keys, length))
        orders.append(Order(keys, np.log(np.maximum(mixed, 1e-43)), np.zeros(len(keys))))
    return rebalance(NGram(first.words, tuple(orders)))


def restrict(model: NGram, kept: Sequence[Keys]) -> NGram:
    """The model with only the n-grams in ``kept``, an array of keys for each length."""
    orders = []
    for order, keys in zip(model.orders, kept, strict=True):
        at, is_there = order.find(keys)
        assert is_there.all(), "only n-grams of the model can be kept"
        orders.append(Order(keys, order.log_probs[at], np.zeros(len(keys))))
    return rebalance(NGram(model.words, tuple(orders)))


def rebalance(model: NGram) -> NGram:
    """Set every back-off weight so that what follows each history sums to one."""
    orders = list(model.orders)
    for length in range(2, len(orders) + 1):
        order, shorter = orders[length - 1], orders[length - 2]
        below = NGram(model.words, tuple(orders[: length - 1]))
        group, is_there = shorter.find(order.keys // model.base)
        assert is_there.all(), "the history of an n-gram is an n-gram"
        lower = below.score(order.keys % model.base ** (length - 1), length - 1)
        size = len(shorter.keys)
        free = np.maximum(1 - np.bincount(group, np.exp(order.log_probs), size), TINY)
        free_lower = np.maximum(1 - np.bincount(group, np.exp(lower), size), TINY)
        backoffs = np.log(free / free_lower)
        followed = np.bincount(group, minlength=size) > 0
        orders[length - 2] = Order(
            shorter.keys, shorter.log_probs, np.where(followed, backoffs, 0.0)
        )
    return NGram(model.words, tuple(orders))
