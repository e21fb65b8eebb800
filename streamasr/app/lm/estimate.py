"""Interpolated modified Kneser-Ney estimation (Chen and Goodman 1998, section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamasr.app.lm.ngram import ABSENT, END, SPECIAL, START, UNKNOWN, NGram, Order, check_base
from streamasr.errors import ConfigError

Keys = NDArray[np.int64]
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N-grams of one length and how often each was seen, by ascending key."""

    keys: Keys
    counts: Counts


def choose_words(
    sentences: Iterable[Sequence[str]], *, size: int, minimum: int = 1, known: frozenset[str]
) -> tuple[str, ...]:
    """A vocabulary: the most frequent words that are ``known``, special words first."""
    seen = Counter(word for words in sentences for word in words)
    ranked = sorted(seen.items(), key=lambda item: (-item[1], item[0]))
    kept = [word for word, count in ranked if count >= minimum and word in known]
    return (*SPECIAL, *kept[:size])


def count(sentences: Iterable[Sequence[str]], words: tuple[str, ...], order: int) -> list[Table]:
    """Count all n-grams up to ``order``, one <s> and one </s> around each sentence."""
    base = len(words)
    check_base(base, order)
    ids = {word: i for i, word in enumerate(words)}
    flat: list[int] = []
    for sentence in sentences:
        flat.append(START)
        flat.extend(ids.get(word, UNKNOWN) for word in sentence)
        flat.append(END)
    if not flat:
        raise ConfigError("no text to count")
    stream = np.array(flat, np.int64)
    keys, crosses = stream, np.zeros(len(stream), np.bool_)
    tables = []
    for length in range(1, order + 1):
        if length > 1:
            # a window must not go on past the end of a sentence
            crosses = crosses[:-1] | (stream[length - 2 : -1] == END)
            keys = keys[:-1] * base + stream[length - 1 :]
        found, counts = np.unique(keys[~crosses], return_counts=True)
        tables.append(Table(found, counts.astype(np.float64)))
    return tables


def estimate(words: tuple[str, ...], tables: Sequence[Table]) -> NGram:
    """A model of the order of the longest table; every order normalises exactly."""
    base, top = len(words), len(tables)
    orders: list[Order] = []
    for length in range(1, top + 1):
        table = tables[length - 1]
        used = table.counts if length == top else _continuations(tables, length, base)
        if length == 1:
            orders.append(_unigrams(table.keys, used, base))
            continue
        lower = orders[-1]
        histories = table.keys // base
        group, _ = lower.find(histories)
        totals = np.bincount(group, used, minlength=len(lower.keys))
        discounts = discount(used)[np.minimum(used, 3).astype(np.int64)]
        freed = np.bincount(group, discounts, minlength=len(lower.keys))
        safe = np.maximum(totals, 1e-300)
        weights = np.where(totals > 0, freed / safe, 1.0)
        suffix, _ = lower.find(table.keys % base ** (length - 1))
        probs = (used - discounts) / safe[group]
        probs = probs + weights[group] * np.exp(lower.log_probs[suffix])
        orders[-1] = Order(lower.keys, lower.log_probs, np.log(np.maximum(weights, 1e-30)))
        orders.append(Order(table.keys, np.log(probs), np.zeros(len(probs))))
    return NGram(words, tuple(orders))


def discount(counts: Counts) -> Counts:
    """Discounts for counts 0, 1, 2 and 3 or more, from the counts of counts.

    Where a text is too small for them, half a count and up to one and a half are taken.
    """
    n = [float((counts == i).sum()) for i in range(1, 5)]
    found = [0.0, 0.5, 1.0, 1.5]
    if min(n) > 0:
        y = n[0] / (n[0] + 2 * n[1])
        found[1:] = [i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3)]
    return np.array([min(max(d, 0.1), i) if i else 0.0 for i, d in enumerate(found)])


def _continuations(tables: Sequence[Table], length: int, base: int) -> Counts:
    """How many different words stood before each n-gram; what opens a sentence has none
    before it and keeps its count."""
    table = tables[length - 1]
    suffixes = tables[length].keys % base**length
    at = np.searchsorted(table.keys, suffixes)
    found = np.bincount(at, minlength=len(table.keys)).astype(np.float64)
    opens = table.keys // base ** (length - 1) == START
    return np.where(opens, table.counts, found)


def _unigrams(keys: Keys, used: Counts, base: int) -> Order:
    """Every word of the vocabulary, seen or not; <s> is never predicted."""
    full = np.zeros(base)
    full[keys] = used
    full[START] = 0.0
    discounts = discount(full[full > 0])[np.minimum(full, 3).astype(np.int64)]
    probs = (full - discounts) / full.sum()
    probs[START + 1 :] += discounts.sum() / full.sum() / (base - 1)
    with np.errstate(divide="ignore"):
        logs = np.log(probs)
    logs[START] = ABSENT
    return Order(np.arange(base, dtype=np.int64), logs, np.zeros(base))
