"""A network of words into a search graph, with pronunciations from the model's lexicon.

    model, unknown = grammar_model(base, net, say)     # GraphModel, for core.graphdecoder

Every node of the network is a root of the graph: from it lead a pause, and one tree of all
words that may follow, as after a history of an n-gram (`edge.lm.graph`). A filler is the
forty phones in any order. What nobody can pronounce is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import GraphModel, SearchGraph
from streamasr.core.phones import ENTER, PHONE_IDS, PHONES, SILENCE, START_WORD, STAY
from streamasr.core.wordnet import UNKNOWN, WordNet
from streamasr.edge.lm.arcs import ArcList
from streamasr.edge.lm.compact import compact
from streamasr.edge.lm.graph import Entries, add_trees
from streamasr.errors import ConfigError

Say = Callable[[Sequence[str]], Mapping[str, Sequence[tuple[str, ...]]]]
"""How words are said, as `GraphModel.pronounce`; those it cannot say are left out."""
PAUSE = 0.2
"""Probability of a pause between words."""
FILLER_PHONE_COST = 2.0
"""Of each phone of a filler: what a grammar knows about phones and a filler does not."""


def grammar_model(
    base: GraphModel, net: WordNet, say: Say | None = None, **options: Any
) -> tuple[GraphModel, list[str]]:
    """The model that hears only what a network allows, and the words nobody can say.

    Priors, speller, delay, scales and calibration are those of ``base``; ``options``
    replace `SearchOptions`. With a filler the search alone decides, for a filler cannot be
    spelt in units. Raises ConfigError where nothing can be said.
    """
    say = say or base.pronounce
    graph, unknown = grammar_graph(net, say(net.words()))
    if net.fillers:
        options = {"unit_weight": 0.0, **options}
    return replace(base, graph=graph, options=replace(base.options, **options)), unknown


def grammar_graph(
    net: WordNet, lexicon: Mapping[str, Sequence[tuple[str, ...]]]
) -> tuple[SearchGraph, list[str]]:
    """The search graph of a network, and the words without a pronunciation, which it lacks."""
    words = net.words()
    unknown = [word for word in words if not lexicon.get(word)]
    entries = _entries(net, words, lexicon)
    if not len(entries.root) and not net.fillers:
        raise ConfigError(
            f"nobody knows how to say {', '.join(unknown[:5])}", remedy="write them otherwise"
        )
    roots = net.nodes
    arcs = ArcList(states=2 * roots)  # a root and its pause each
    every = np.arange(roots)
    arcs.add(every, every + roots, ENTER + SILENCE, 0, -np.log(PAUSE))
    arcs.add(every + roots, every + roots, STAY + SILENCE, 0, 0.0)
    arcs.add(every + roots, every, 0, 0, 0.0)
    if net.links:
        arcs.add(np.array(list(net.links)), np.array(list(net.links.values())), 0, 0, 0.0)
    add_trees(arcs, entries)
    for origin, goal, cost in net.fillers:
        _add_filler(arcs, origin, goal, len(words) + 1, cost)
    finals = np.full(roots, np.inf)
    finals[list(net.finals)] = list(net.finals.values())
    return compact(arcs.graph(0, finals), (*words, UNKNOWN)), unknown


def _entries(
    net: WordNet, words: Sequence[str], lexicon: Mapping[str, Sequence[tuple[str, ...]]]
) -> Entries:
    """One row for each way to say the word of an arc."""
    said: list[list[int]] = []
    first, count = [], []
    for word in words:
        ways = list(lexicon.get(word, ()))
        first.append(len(said))
        count.append(len(ways))
        said += [[PHONE_IDS[phone] for phone in way] for way in ways]
    phones = np.full((len(said), max(map(len, said), default=1)), -1, np.int8)
    for row, way in zip(phones, said, strict=True):
        row[: len(way)] = way
    index = {word: number for number, word in enumerate(words)}
    table = np.array(
        [(origin, goal, index[word]) for origin, goal, word in net.arcs], np.int64
    ).reshape(-1, 3)
    counts = np.array(count, np.int64)[table[:, 2]]
    rows = np.repeat(np.arange(len(table)), counts)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    origin, goal, word_of = table[rows].T
    way = np.array(first, np.int64)[word_of] + nth
    lengths: NDArray[np.int64] = (phones >= 0).sum(axis=1)
    return Entries(origin, goal, word_of + 1, np.zeros(len(rows)), phones[way], lengths[way])


def _add_filler(arcs: ArcList, origin: int, goal: int, output: int, cost: float) -> None:
    """Any phones but silence, one at least, from root to root."""
    sounds = np.arange(1, len(PHONES))
    states = arcs.new_states(len(sounds))
    here, there = np.full(len(sounds), origin), np.full(len(sounds), goal)
    arcs.add(here, states, START_WORD + sounds, output, cost + FILLER_PHONE_COST)
    arcs.add(states, states, STAY + sounds, 0, 0.0)
    arcs.add(states, there, 0, 0, 0.0)
    before, after = (grid.ravel() for grid in np.meshgrid(states, states, indexing="ij"))
    is_other = before != after
    goals = after[is_other]
    arcs.add(before[is_other], goals, ENTER + sounds[goals - states[0]], 0, FILLER_PHONE_COST)
