"""Compile pronunciations and an n-gram into one search graph over phone emissions.

The graph is what H o min(det(L o G)) gives in the manner of Mohri, Pereira and Riley
(2002), built directly, as arrays, because its shape is known. Every history of the
n-gram has a *root*. From a root lead an arc without emission to the shorter history, an
arc into a pause, and a tree of the words that the n-gram lists after this history. A tree
branches as long as words share their first phones; from where only one is left, its
remaining phones are a *tail*, which all histories share that lead to the same root.
Each state in a tree or tail is one phone, sounding, and loops for as long as it lasts.
The cost of a word is paid as early as the tree allows.

`core.phones` says what the input labels mean; output labels are word numbers of the
model plus one. Costs are negative natural logarithms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import ENTER, PHONE_IDS, PHONES, SILENCE, START_WORD, STAY
from streamasr.edge.lm.arcs import ArcList, Graph
from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.ngram import END, SPECIAL, START, Keys, NGram
from streamasr.errors import ConfigError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_STATE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """The roots: for each length of history its keys; roots are numbered through them."""

    keys: tuple[Keys, ...]
    base: int

    @property
    def offsets(self) -> list[int]:
        return [0, *np.cumsum([len(keys) for keys in self.keys]).tolist()]

    def roots(self, keys: Keys, length: int) -> Ints:
        """The root of the longest history that ends each n-gram of ``length`` words."""
        length, keys = self._shorten(keys, length)
        found = np.full(len(keys), NO_STATE, np.int64)
        while True:
            known = self.keys[length]
            at = np.minimum(np.searchsorted(known, keys), max(0, len(known) - 1))
            hit = (found == NO_STATE) & (known[at] == keys) if len(known) else found < NO_STATE
            found[hit] = self.offsets[length] + at[hit]
            if not length:
                return found
            length, keys = length - 1, keys % self.base ** (length - 1)

    def _shorten(self, keys: Keys, length: int) -> tuple[int, Keys]:
        longest = len(self.keys) - 1
        return min(length, longest), keys % self.base**longest if length > longest else keys


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """One row for each way to say a word after a history that lists it."""

    root: Ints
    goal: Ints
    output: Ints
    cost: Floats
    phones: NDArray[np.int8]
    """[rows, longest], -1 past the end."""
    lengths: Ints

    def __getitem__(self, rows: Ints) -> Entries:
        return Entries(
            self.root[rows], self.goal[rows], self.output[rows], self.cost[rows],
            self.phones[rows], self.lengths[rows],
        )  # fmt: skip


def build_graph(
    model: NGram, lexicon: Mapping[str, Sequence[Phones]], *, silence: float = 0.2
) -> Graph:
    """Build the graph; words without pronunciation are not in it.

    ``silence`` is the probability of a pause at a word's edge.
    """
    histories = find_histories(model)
    roots = histories.offsets[-1]
    arcs = ArcList(states=2 * roots)  # a root and its pause each
    finals = np.full(roots, np.inf)
    entries = list_entries(model, lexicon, histories, finals)
    if not len(entries.root):
        raise ConfigError("no word of the language model has a pronunciation")
    _add_backoffs(arcs, model, histories)
    every = np.arange(roots)
    pauses = every + roots
    arcs.add(every, pauses, ENTER + SILENCE, 0, -np.log(silence))
    arcs.add(pauses, pauses, STAY + SILENCE, 0, 0.0)
    arcs.add(pauses, every, 0, 0, 0.0)
    add_trees(arcs, entries)
    start = int(histories.roots(np.array([START], np.int64), 1)[0])
    return arcs.graph(start, finals)


def find_histories(model: NGram) -> Histories:
    """The empty history and all that some n-gram extends."""
    keys = [np.zeros(1, np.int64)]
    keys += [np.unique(order.keys // model.base) for order in model.orders[1:]]
    return Histories(tuple(keys), model.base)


def list_entries(
    model: NGram,
    lexicon: Mapping[str, Sequence[Phones]],
    histories: Histories,
    finals: Floats,
) -> Entries:
    """Rows for all n-grams that end in a word; sentence ends go to ``finals``."""
    said, first, count = _pronunciations(model, lexicon)
    lengths = (said >= 0).sum(axis=1)
    parts = []
    for length, order in enumerate(model.orders, start=1):
        last = order.keys % model.base
        root = histories.offsets[length - 1] + np.searchsorted(
            histories.keys[length - 1], order.keys // model.base
        )
        ends = last == END
        finals[root[ends]] = -order.log_probs[ends]
        rows = np.repeat(np.arange(len(last)), count[last])
        # the k-th repetition of a row is the k-th pronunciation of its word
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(count[last]) - count[last], count[last])
        choice = first[last[rows]] + nth
        goal = histories.roots(order.keys, length)
        parts.append(
            Entries(
                root[rows], goal[rows], last[rows] + 1, -order.log_probs[rows],
                said[choice], lengths[choice],
            )
        )  # fmt: skip
    return Entries(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("root", "goal", "output", "cost", "phones", "lengths")
        )
    )


def _pronunciations(
    model: NGram, lexicon: Mapping[str, Sequence[Phones]]
) -> tuple[NDArray[np.int8], Ints, Ints]:
    """All pronunciations [n, longest], and for each word its first row and how many."""
    rows: list[list[int]] = []
    first = np.zeros(model.base, np.int64)
    count = np.zeros(model.base, np.int64)
    for index, word in enumerate(model.words):
        first[index] = len(rows)
        if index >= len(SPECIAL):
            rows += [[PHONE_IDS[phone] for phone in phones] for phones in lexicon.get(word, ())]
            count[index] = len(rows) - first[index]
    said = np.full((len(rows), max(map(len, rows), default=1)), -1, np.int8)
    for index, row in enumerate(rows):
        said[index, : len(row)] = row
    return said, first, count


def _add_backoffs(arcs: ArcList, model: NGram, histories: Histories) -> None:
    for length in range(1, len(histories.keys)):
        keys = histories.keys[length]
        root = histories.offsets[length] + np.arange(len(keys))
        shorter = histories.roots(keys % model.base ** (length - 1), length - 1)
        arcs.add(root, shorter, 0, 0, -model.backoff(keys, length))


def add_trees(arcs: ArcList, entries: Entries) -> None:
    """Grow all trees level by level; what is left alone goes on in a tail."""
    count = len(PHONES)
    state, paid = entries.root, np.zeros(len(entries.root))
    for depth in range(entries.phones.shape[1]):
        if not len(entries.root):
            return
        phone = entries.phones[:, depth].astype(np.int64)
        enter = START_WORD if depth == 0 else ENTER
        branches, which, sharers = np.unique(
            state * count + phone, return_inverse=True, return_counts=True
        )
        alone = sharers[which] == 1
        tails = _tail_states(arcs, entries[np.flatnonzero(alone)], depth)
        arcs.add(
            state[alone], tails, enter + phone[alone], entries.output[alone],
            entries.cost[alone] - paid[alone],
        )  # fmt: skip
        nodes = arcs.new_states(int((sharers > 1).sum()))
        node_of = np.full(len(branches), NO_STATE, np.int64)
        node_of[sharers > 1] = nodes
        least = np.full(len(branches), np.inf)
        np.minimum.at(least, which, entries.cost)
        before = np.zeros(len(branches))
        before[which] = paid
        shared = np.flatnonzero(sharers > 1)
        sounds = branches[shared] % count
        arcs.add(branches[shared] // count, nodes, enter + sounds, 0, (least - before)[shared])
        arcs.add(nodes, nodes, STAY + sounds, 0, 0.0)
        state, paid = node_of[which], least[which]
        ends = ~alone & (entries.lengths == depth + 1)
        arcs.add(
            state[ends], entries.goal[ends], 0, entries.output[ends],
            entries.cost[ends] - paid[ends],
        )  # fmt: skip
        go_on = np.flatnonzero(~alone & ~ends)
        entries, state, paid = entries[go_on], state[go_on], paid[go_on]


def _tail_states(arcs: ArcList, entries: Entries, depth: int) -> Ints:
    """The state of each row's phone at ``depth``, with all that follows it to the goal."""
    count = len(PHONES)
    after = entries.goal
    for column in reversed(range(depth, entries.phones.shape[1])):
        phone = entries.phones[:, column].astype(np.int64)
        rows = np.flatnonzero(phone >= 0)
        if not len(rows):
            continue
        next_phone = (
            entries.phones[rows, column + 1].astype(np.int64)
            if column + 1 < entries.phones.shape[1]
            else np.full(len(rows), -1)
        )
        # before the goal itself an arc without emission; else the next phone begins
        label = np.where(next_phone >= 0, ENTER + next_phone, 0)
        identity = (after[rows] * (ENTER + count) + label) * count + phone[rows]
        states = arcs.tails.numbers(identity, arcs)
        fresh, at = np.unique(states, return_index=True)
        is_new = fresh >= arcs.tails.first_new
        fresh, at = fresh[is_new], at[is_new]
        arcs.add(fresh, fresh, STAY + phone[rows[at]], 0, 0.0)
        arcs.add(fresh, after[rows[at]], label[at], 0, 0.0)
        after = after.copy()
        after[rows] = states
    return after
