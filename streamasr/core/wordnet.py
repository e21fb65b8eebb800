"""A closed grammar as a network of words: what may be said, and nothing else.

    net = phrase_net([("lights", "on"), ("lights", "off")])

A *node* is a place between words; arcs lead from node to node and say one word each. An
arc of *filler* says anything at all under one name (`UNKNOWN`), at a cost: it competes with
the words, and wins where none of them was said. A *link* leads on without a word.
`edge.lm.grammar` turns a network into a search graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamasr.errors import ConfigError

UNKNOWN = "[unk]"
MOST_WORDS = 1000
"""In the phrases that a client may send."""
FILLER_COST = 4.0
"""Of a filler's beginning, as a negative natural logarithm."""


@dataclass(frozen=True, slots=True)
class WordNet:
    """Nodes are numbered from 0, where every sentence begins."""

    nodes: int
    arcs: tuple[tuple[int, int, str], ...]
    """From node, to node, word."""
    finals: Mapping[int, float]
    """Cost of ending at a node, for those where a sentence may end."""
    fillers: tuple[tuple[int, int, float], ...] = ()
    """From node, to node, cost."""
    links: Mapping[int, int] | None = None
    """From node to node without a word; at most one from each, and no circle."""

    def words(self) -> list[str]:
        """Every word once, sorted; `UNKNOWN` is none."""
        return sorted({word for _, _, word in self.arcs})


def phrase_net(
    phrases: Iterable[Sequence[str]], *, loop: bool = False, filler: float | None = None
) -> WordNet:
    """The network of a list of phrases, each a sequence of words.

    With ``loop`` any number of them may follow each other. With ``filler`` anything else may
    be said in their place, at this cost. Raises ConfigError where there is no phrase.
    """
    chosen = sorted({tuple(phrase) for phrase in phrases if phrase})
    if not chosen and filler is None:
        raise ConfigError("a grammar needs at least one phrase")
    net = _sharing_ends(chosen)
    end = net.nodes
    fillers = () if filler is None else ((0, end, filler),)
    nodes = net.nodes + (filler is not None)
    finals = {**net.finals, **({end: 0.0} if fillers else {})}
    if not loop:
        return WordNet(nodes, net.arcs, finals, fillers)
    links = {node: 0 for node in finals if node}
    return WordNet(nodes, net.arcs, finals, fillers, links)


def _sharing_ends(phrases: Sequence[tuple[str, ...]]) -> WordNet:
    """The smallest network of sorted phrases (Daciuk et al. 2000)."""
    children: list[dict[str, int]] = [{}]
    is_final = [False]
    known: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}
    path = [0]

    def settle(depth: int) -> None:
        while len(path) > depth + 1:
            node = path.pop()
            key = (is_final[node], tuple(children[node].items()))
            same = known.setdefault(key, node)
            if same != node:
                before = children[path[-1]]
                before[next(reversed(before))] = same

    last: tuple[str, ...] = ()
    for phrase in phrases:
        shared = 0
        while shared < min(len(last), len(phrase)) and last[shared] == phrase[shared]:
            shared += 1
        settle(shared)
        for word in phrase[shared:]:
            children.append({})
            is_final.append(False)
            children[path[-1]][word] = len(children) - 1
            path.append(len(children) - 1)
        is_final[path[-1]] = True
        last = phrase
    settle(0)
    return _numbered(children, is_final)


def _numbered(children: Sequence[Mapping[str, int]], is_final: Sequence[bool]) -> WordNet:
    """The part that can be reached from 0, numbered in that order."""
    number = {0: 0}
    queue = [0]
    arcs = []
    for node in queue:
        for word, goal in children[node].items():
            if goal not in number:
                number[goal] = len(number)
                queue.append(goal)
            arcs.append((number[node], number[goal], word))
    finals = {number[node]: 0.0 for node in queue if is_final[node]}
    return WordNet(len(number), tuple(arcs), finals)
