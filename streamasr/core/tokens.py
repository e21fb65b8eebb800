"""Columns of the graph search: tokens, those that lost, and what a frame remembers.

A *token* is a way to be in a state after an emission. Where tokens meet in a state the
cheapest goes on; a *rival* said other words and lost by little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats

Ints = NDArray[np.int64]
Rows = NDArray[np.bool_] | Ints


@dataclass(slots=True, eq=False)
class Steps:
    """How tokens came to be: one emission each."""

    origins: NDArray[np.int32]
    """Index of the token in the frame before."""
    labels: NDArray[np.uint8]
    """What the emission was, as `core.phones` numbers it."""
    outputs: NDArray[np.int32]
    """The word that it said, or 0."""

    def __getitem__(self, rows: Rows) -> Steps:
        return Steps(self.origins[rows], self.labels[rows], self.outputs[rows])

    @staticmethod
    def join(parts: Sequence[Steps]) -> Steps:
        return Steps(
            np.concatenate([part.origins for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.outputs for part in parts]),
        )


@dataclass(slots=True, eq=False)
class Tokens:
    """Ways to be somewhere after an emission."""

    states: Ints
    costs: Floats
    words: NDArray[np.uint64]
    """A hash of all words so far."""
    steps: Steps

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Rows) -> Tokens:
        return Tokens(self.states[rows], self.costs[rows], self.words[rows], self.steps[rows])

    @staticmethod
    def join(parts: Sequence[Tokens]) -> Tokens:
        return Tokens(
            np.concatenate([part.states for part in parts]),
            np.concatenate([part.costs for part in parts]),
            np.concatenate([part.words for part in parts]),
            Steps.join([part.steps for part in parts]),
        )


@dataclass(slots=True, eq=False)
class Rivals:
    """Tokens that lost by little to one that said other words."""

    winners: NDArray[np.int32]
    """Index of the token that each lost to."""
    deltas: Floats
    """By how much."""
    steps: Steps

    def __len__(self) -> int:
        return len(self.winners)

    def __getitem__(self, rows: Rows) -> Rivals:
        return Rivals(self.winners[rows], self.deltas[rows], self.steps[rows])


@dataclass(slots=True, eq=False)
class Frame:
    """What is kept of an emission: a step for each token, and the rivals."""

    steps: Steps
    rivals: Rivals

    @property
    def memory_bytes(self) -> int:
        ways = (self.steps, self.rivals.steps)
        steps = sum(way.origins.nbytes + way.labels.nbytes + way.outputs.nbytes for way in ways)
        return steps + self.rivals.winners.nbytes + self.rivals.deltas.nbytes


def compete(tokens: Tokens, margin: float) -> tuple[Tokens, NDArray[np.int32], Tokens]:
    """The cheapest token of each state, in the order of states; and of those that
    said other words and cost less than ``margin`` more, whom they lost to and themselves.
    """
    # one integer to sort by: the state, and the bits of the cost in the order of floats
    bits = np.ascontiguousarray(tokens.costs).view(np.int32).astype(np.int64)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    ranked = tokens[np.argsort((tokens.states << 32) + bits)]
    is_first = np.empty(len(ranked), np.bool_)
    is_first[:1] = True
    np.not_equal(ranked.states[1:], ranked.states[:-1], out=is_first[1:])
    firsts = np.flatnonzero(is_first)
    to = np.cumsum(is_first) - 1
    best = firsts[to]
    near = ranked.costs - ranked.costs[best] < np.float32(margin)
    lost = np.flatnonzero(near & (ranked.words != ranked.words[best]))
    return ranked[firsts], to[lost].astype(np.int32), ranked[lost]


def spread(firsts: NDArray[np.uint32], rows: Ints) -> tuple[Ints, Ints]:
    """For the rows of a table in pieces: the owner of each entry, and the entries."""
    begin = firsts[rows].astype(np.int64)
    counts = firsts[rows + 1].astype(np.int64) - begin
    ends = np.cumsum(counts)
    owners = np.repeat(np.arange(len(rows)), counts)
    entries = np.arange(len(owners)) + np.repeat(begin - (ends - counts), counts)
    return owners, entries
