"""Back-off n-gram models as sorted arrays: probabilities for whole batches at a time.

An n-gram is one integer, its word ids read as digits to the base of the vocabulary's
size; an order is a sorted array of such keys with two columns of natural logarithms. The
history of an n-gram is its key divided by the base, its suffix the remainder by a power,
so everything about an order is a few array operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamasr.errors import ConfigError

Keys = NDArray[np.int64]
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

START, END, UNKNOWN = 0, 1, 2
SPECIAL = ("<s>", "</s>", "<unk>")
ABSENT = -99.0
"""Log-probability of what can never follow: the start of a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """All n-grams of one length, by ascending key."""

    keys: Keys
    log_probs: Floats
    backoffs: Floats
    """Log weight that the shorter history gets after this n-gram; 0 where it is no history."""

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For each key its index (some valid index where absent), and whether it is there."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return at, self.keys[at] == keys


@dataclass(frozen=True, slots=True, eq=False)
class NGram:
    """A back-off model; word ids index ``words``, the special ones first."""

    words: tuple[str, ...]
    orders: tuple[Order, ...]
    ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise ConfigError(f"a vocabulary begins with {' '.join(SPECIAL)}")
        check_base(len(self.words), len(self.orders))
        object.__setattr__(self, "ids", {word: i for i, word in enumerate(self.words)})

    @property
    def base(self) -> int:
        return len(self.words)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(order.keys) for order in self.orders)

    def encode(self, words: Sequence[str]) -> list[int]:
        return [self.ids.get(word, UNKNOWN) for word in words]

    def score(self, keys: Keys, length: int) -> Floats:
        """Log-probability of the last word of each ``length``-gram after the others."""
        order = self.orders[length - 1]
        at, is_there = order.find(keys)
        scores = np.where(is_there, order.log_probs[at], 0.0) if len(order.keys) else None
        if scores is None:
            scores = np.zeros(len(keys))
        if length == 1:
            return np.where(is_there, scores, ABSENT)
        missing = np.flatnonzero(~is_there)
        if len(missing):
            histories = keys[missing] // self.base
            suffixes = keys[missing] % self.base ** (length - 1)
            scores[missing] = self.backoff(histories, length - 1) + self.score(suffixes, length - 1)
        return scores

    def backoff(self, histories: Keys, length: int) -> Floats:
        """Log back-off weight of each history of ``length`` words; 0 for unknown ones."""
        order = self.orders[length - 1]
        at, is_there = order.find(histories)
        return np.where(is_there, order.backoffs[at], 0.0)

    def sentence_scores(self, words: Sequence[str]) -> Floats:
        """Log-probability of each word of a sentence and of its end."""
        ids = [START, *self.encode(words), END]
        scores = []
        for end in range(1, len(ids)):
            gram = ids[max(0, end + 1 - len(self.orders)) : end + 1]
            key = np.array([join_ids(gram, self.base)], np.int64)
            scores.append(float(self.score(key, len(gram))[0]))
        return np.array(scores)


def check_base(base: int, order: int) -> None:
    """Raise ConfigError where n-grams would not fit in a signed 64-bit key."""
    if base**order >= 2**63:
        raise ConfigError(f"{base} words are too many for {order}-grams")


def join_ids(ids: Sequence[int], base: int) -> int:
    key = 0
    for word in ids:
        key = key * base + word
    return key


def split_keys(keys: Keys, base: int, length: int) -> NDArray[np.int64]:
    """Keys back to ids [n, length]."""
    columns = []
    for _ in range(length):
        columns.append(keys % base)
        keys = keys // base
    return np.stack(columns[::-1], axis=1) if len(columns) > 1 else columns[0][:, None]


def perplexity(model: NGram, sentences: Iterable[Sequence[str]]) -> tuple[float, float]:
    """Perplexity over words in the vocabulary and sentence ends, and the share of words
    outside the vocabulary."""
    grams: dict[int, list[int]] = {}
    unknown = total = 0
    top = len(model.orders)
    for words in sentences:
        ids = [START, *model.encode(words), END]
        total += len(ids) - 2
        for end in range(1, len(ids)):
            if ids[end] == UNKNOWN:
                unknown += 1
                continue
            gram = ids[max(0, end + 1 - top) : end + 1]
            grams.setdefault(len(gram), []).append(join_ids(gram, model.base))
    logs = [model.score(np.array(keys, np.int64), n) for n, keys in grams.items()]
    mean = float(np.concatenate(logs).mean())
    return float(np.exp(-mean)), unknown / max(1, total)
