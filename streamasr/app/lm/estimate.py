"""Interpolated modified Kneser-Ney estimation (Chen and Goodman 1998, section 3.2)."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamasr.edge.lm.ngram import ABSENT, END, SPECIAL, START, UNKNOWN, NGram, Order, check_base
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
    ids = {word: i for i, word in enumerate(words)}
    flat = array("i")
    for sentence in sentences:
        flat.extend(ids.get(word, UNKNOWN) for word in sentence)
        flat.append(END)
    return count_stream(np.array(flat, np.int32), len(words), order)


def count_stream(
    stream: NDArray[np.int32], base: int, order: int, *, batch: int = 1 << 24
) -> list[Table]:
    """As `count`, of sentences that are numbers already, each with </s> behind it.

    N-grams are sorted ``batch`` at a time (but those of one first word together), so that
    they need not all be in memory more than once.
    """
    check_base(base, order)
    if not len(stream):
        raise ConfigError("no text to count")
    opens = np.concatenate([[0], np.flatnonzero(stream == END)[:-1] + 1])
    padded = np.insert(stream, opens, START)
    tables = []
    crosses = np.zeros(len(padded), np.bool_)
    for length in range(1, order + 1):
        if length > 1:
            # a window must not go on past the end of a sentence
            crosses = crosses[:-1] | (padded[length - 2 : -1] == END)
        tables.append(_count_length(padded, ~crosses, base, length, batch))
    return tables


def _count_length(
    stream: NDArray[np.int32], usable: NDArray[np.bool_], base: int, length: int, batch: int
) -> Table:
    """Count the windows of ``length`` that begin where they are ``usable``."""
    first = stream[: len(usable)]
    ends = np.cumsum(np.bincount(first[usable], minlength=base))
    keys, counts, low = [], [], 0
    while low < base:
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + batch, "right")))
        at = np.flatnonzero(usable & (first >= low) & (first < high))
        grams = stream[at].astype(np.int64)
        for offset in range(1, length):
            grams *= base
            grams += stream[at + offset]
        grams.sort()
        starts = np.flatnonzero(np.diff(grams, prepend=-1))
        keys.append(grams[starts])
        counts.append(np.diff(starts, append=len(grams)).astype(np.float64))
        low = high
    return Table(np.concatenate(keys), np.concatenate(counts))


def estimate(words: tuple[str, ...], tables: Sequence[Table], minimum: Sequence[int] = ()) -> NGram:
    """A model of the order of the longest table; every order normalises exactly.

    N-grams of length n seen fewer than ``minimum[n - 1]`` times are not listed, as if
    their whole count were discounted; shorter ones must not be cut harder than longer.
    """
    base, top = len(words), len(tables)
    least = [*minimum, *[1] * top][:top]
    if least[0] > 1 or any(a > b for a, b in pairwise(least)):
        raise ConfigError("minimum counts begin with 1 and never fall with length")
    orders: list[Order] = []
    for length in range(1, top + 1):
        table = tables[length - 1]
        used = table.counts if length == top else _continuations(tables, length, base)
        if length == 1:
            orders.append(_unigrams(table.keys, used, base))
            continue
        lower = orders[-1]
        listed = table.counts >= least[length - 1]
        discounts = discount(used)[np.minimum(used, 3).astype(np.int64)]
        discounts[~listed] = used[~listed]
        group, is_there = lower.find(table.keys // base)
        totals = np.bincount(group[is_there], used[is_there], minlength=len(lower.keys))
        freed = np.bincount(group[is_there], discounts[is_there], minlength=len(lower.keys))
        safe = np.maximum(totals, 1e-300)
        weights = np.where(totals > 0, freed / safe, 1.0)
        keys, group = table.keys[listed], group[listed]
        suffix, _ = lower.find(keys % base ** (length - 1))
        probs = (used[listed] - discounts[listed]) / safe[group]
        probs += weights[group] * np.exp(lower.log_probs[suffix])
        orders[-1] = Order(lower.keys, lower.log_probs, np.log(np.maximum(weights, 1e-30)))
        orders.append(Order(keys, np.log(probs), np.zeros(len(probs))))
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
