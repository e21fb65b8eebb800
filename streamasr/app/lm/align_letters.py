"""Align the letters of words with their phones: each letter makes none, one or two.

Expectation maximisation over all segmentations, for all words of equal lengths at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONE_IDS, PHONES
from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.spelling import LETTERS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Graphone = tuple[str, Phones]

_LETTER_IDS = {letter: i for i, letter in enumerate(LETTERS)}
_N = len(PHONES)
_OUTCOMES = 1 + _N + _N * _N
"""Nothing, one phone, or two."""
_FLOOR = 1e-7


def align_letters(
    entries: Iterable[tuple[str, Phones]], *, rounds: int = 6
) -> list[list[Graphone]]:
    """Segment each (word, phones) that can be: one list of graphones a word, in any order."""
    groups: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = defaultdict(list)
    for word, phones in entries:
        letters = [_LETTER_IDS[letter] for letter in word if letter in _LETTER_IDS]
        if letters and len(letters) == len(word) and len(phones) <= 2 * len(word):
            coded = [PHONE_IDS[phone] for phone in phones]
            groups[len(letters), len(coded)].append((letters, coded))
    batches = [
        (np.array([w for w, _ in group], np.int64), np.array([p for _, p in group], np.int64))
        for group in groups.values()
    ]
    table = np.full((len(LETTERS), _OUTCOMES), 1.0)
    table[:, 1 + _N :] = 0.1  # two phones are the exception
    table[:, 0] = 0.3
    for _ in range(rounds):
        expected = np.zeros_like(table)
        for spelt, said in batches:
            _expect(table, spelt, said, expected)
        table = expected / expected.sum(axis=1, keepdims=True).clip(_FLOOR) + _FLOOR
    return [aligned for spelt, said in batches for aligned in _best(table, spelt, said)]


def _arcs(table: Floats, letters: Ints, phones: Ints, i: int, j: int) -> list[tuple[int, Ints]]:
    """What letter i may make of the phones from j on: (how many, outcomes [words])."""
    count = phones.shape[1]
    arcs = [(0, np.zeros(len(letters), np.int64))]
    if j < count:
        arcs.append((1, 1 + phones[:, j]))
    if j + 1 < count:
        arcs.append((2, 1 + _N + phones[:, j] * _N + phones[:, j + 1]))
    return arcs


def _expect(table: Floats, letters: Ints, phones: Ints, expected: Floats) -> None:
    """Add the posterior counts of a batch of words of equal lengths to ``expected``."""
    words, rows = letters.shape
    columns = phones.shape[1]
    forward = np.zeros((rows + 1, columns + 1, words))
    backward = np.zeros_like(forward)
    forward[0, 0] = 1.0
    backward[rows, columns] = 1.0
    for i in range(rows):
        for j in range(columns + 1):
            for size, outcome in _arcs(table, letters, phones, i, j):
                forward[i + 1, j + size] += forward[i, j] * table[letters[:, i], outcome]
    for i in reversed(range(rows)):
        for j in range(columns + 1):
            for size, outcome in _arcs(table, letters, phones, i, j):
                backward[i, j] += backward[i + 1, j + size] * table[letters[:, i], outcome]
    total = backward[0, 0].clip(1e-300)
    for i in range(rows):
        for j in range(columns + 1):
            for size, outcome in _arcs(table, letters, phones, i, j):
                share = forward[i, j] * table[letters[:, i], outcome]
                share = share * backward[i + 1, j + size] / total
                np.add.at(expected, (letters[:, i], outcome), share)


def _best(table: Floats, letters: Ints, phones: Ints) -> list[list[Graphone]]:
    """The most likely segmentation of each word of a batch."""
    words, rows = letters.shape
    columns = phones.shape[1]
    logs = np.log(table)
    score = np.full((rows + 1, columns + 1, words), -np.inf)
    came = np.zeros((rows + 1, columns + 1, words), np.int8)
    score[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns + 1):
            for size, outcome in _arcs(table, letters, phones, i, j):
                found = score[i, j] + logs[letters[:, i], outcome]
                better = found > score[i + 1, j + size]
                score[i + 1, j + size][better] = found[better]
                came[i + 1, j + size][better] = size
    return [_trace(came[:, :, w], letters[w], phones[w]) for w in range(words)]


def _trace(came: NDArray[np.int8], letters: Ints, phones: Ints) -> list[Graphone]:
    at = len(phones)
    found: list[Graphone] = []
    for i in reversed(range(len(letters))):
        size = int(came[i + 1, at])
        names = tuple(PHONES[p] for p in phones[at - size : at])
        found.append((LETTERS[letters[i]], names))
        at -= size
    return found[::-1]
