"""Sentence templates as one network of words with slots: what the words of a command mean.

    drawing = Drawing()                     # pieces of text, spaces, slots
    ...
    network = drawing.network()             # words
    network.understand("turn on the lamp".split())     # Meaning(block=3, slots={"name": "lamp"})

A template may end a word anywhere (``light[s]``), so it is drawn first with arcs for pieces
of words and for spaces, and only then read off word by word. The words of a slot lie between
its `Open` and its `Close`. Sentences belong to *blocks*: those of one intent with the same
fixed slots. Where words mean several things, what was drawn first holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamasr.core.endpoint import Outlook
from streamasr.core.wordnet import WordNet
from streamasr.errors import ConfigError

Convert = Callable[[Sequence[str]], Any]


@dataclass(frozen=True, slots=True)
class Open:
    """A slot begins."""

    slot: str


@dataclass(frozen=True, slots=True, eq=False)
class Close:
    """A slot ends; its value is given, or made of its words."""

    slot: str
    value: Any = None
    convert: Convert | None = None


Tag = Open | Close


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a sentence says."""

    block: int
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the words so far can still become."""

    blocks: frozenset[int]
    slots: Mapping[str, Any]
    """Those that are complete on the likeliest way."""


MOST_ARCS = 1_000_000


@dataclass(slots=True)
class Drawing:
    """Arcs of pieces of text; node 0 is where all sentences begin."""

    texts: list[list[tuple[str, int]]] = field(default_factory=lambda: [[]])
    """Of each node the pieces, spaces ("`` ``") and empty texts that lead on."""
    tags: dict[int, Tag] = field(default_factory=dict)
    """What is passed at a node."""
    ends: dict[int, int] = field(default_factory=dict)
    """Node where a sentence ends -> its block."""
    _tree: dict[tuple[int, str], int] = field(default_factory=dict)
    _arcs: int = 0

    def node(self, tag: Tag | None = None) -> int:
        self.texts.append([])
        if tag is not None:
            self.tags[len(self.texts) - 1] = tag
        return len(self.texts) - 1

    def draw(self, origin: int, text: str, goal: int | None = None) -> int:
        """Lead on from a node; gives the node that was reached.

        Without a goal the same text always leads to the same node, which nothing else leads to.
        """
        if goal is None:
            if (origin, text) in self._tree:
                return self._tree[origin, text]
            goal = self._tree[origin, text] = self.node()
        self.texts[origin].append((text, goal))
        self._arcs += 1
        if self._arcs > MOST_ARCS:
            raise ConfigError("the sentences are too many", remedy="shorter lists or permutations")
        return goal

    def network(self) -> Network:
        """Read words off the drawing."""
        return Network(*_words(self))


@dataclass(frozen=True, slots=True)
class _Step:
    """A word with the tags passed before and after it."""

    goal: int
    before: tuple[Tag, ...]
    after: tuple[Tag, ...]


Steps = list[dict[str, list[_Step]]]
Ends = dict[int, tuple[int, tuple[Tag, ...]]]
"""Place -> the block of the sentence that ends there, and the tags passed at its end."""


def _words(drawing: Drawing) -> tuple[Steps, Ends, list[int]]:
    """Steps of each place between words, the blocks that may end there, and those to come."""
    number = {0: 0}
    queue = [0]
    steps: Steps = []
    ends: Ends = {}
    for node in queue:
        found: dict[str, list[_Step]] = {}
        for word, goal, before, after in _first_words(drawing, node):
            if not word:  # the sentence may end here
                ends.setdefault(number[node], (drawing.ends[goal], before))
                continue
            if goal not in number:
                number[goal] = len(queue)
                queue.append(goal)
            found.setdefault(word, []).append(_Step(number[goal], before, after))
        steps.append(found)
    return steps, ends, _blocks(steps, ends)


def _first_words(
    drawing: Drawing, start: int
) -> Iterator[tuple[str, int, tuple[Tag, ...], tuple[Tag, ...]]]:
    """Each first word from a node, the node behind it, and the tags around it.

    An empty word says that the sentence may end there.
    """
    texts, tags, ends = drawing.texts, drawing.tags, drawing.ends
    stack: list[tuple[int, str, tuple[Tag, ...], tuple[Tag, ...]]] = [(start, "", (), ())]
    seen: set[int] = set()
    while stack:
        node, text, before, after = stack.pop()
        if not text:
            if node in seen:
                continue
            seen.add(node)
        tag = tags.get(node)
        if tag is not None:
            before, after = (before, (*after, tag)) if text else ((*before, tag), after)
        if node in ends:
            yield text, node, before, after
        for piece, goal in reversed(texts[node]):
            if piece != " ":
                stack.append((goal, text + piece, before, after))
            elif text:
                yield text, goal, before, after
            else:
                stack.append((goal, "", before, after))


def _blocks(steps: Steps, ends: Ends) -> list[int]:
    """The block that each place belongs to; -1 for the start, which belongs to all."""
    blocks = [-1] * len(steps)
    for node, (block, _) in ends.items():
        blocks[node] = block
    changed = True
    while changed:  # places are numbered forwards, so going backwards settles most at once
        changed = False
        for node in range(len(steps) - 1, 0, -1):
            if blocks[node] >= 0:
                continue
            for ways in steps[node].values():
                if blocks[ways[0].goal] >= 0:
                    blocks[node], changed = blocks[ways[0].goal], True
                    break
    return blocks


class Network:
    """Words from place to place; place 0 is the start."""

    def __init__(self, steps: Steps, ends: Ends, blocks: Sequence[int]) -> None:
        self._steps = steps
        self._ends = ends
        self._blocks = blocks

    def understand(self, words: Sequence[str]) -> Meaning | None:
        """What a whole sentence means; None where it is none."""
        ways = self._follow(words)
        ends = [place for place in ways if place in self._ends] if words else []
        if not ends:
            return None
        block, tags = self._ends[ends[0]]
        return Meaning(block, _slots(words, ways[ends[0]], tags))

    def begin(self, words: Sequence[str]) -> Beginning | None:
        """What the first words of a sentence may become; None where they begin none."""
        ways = self._follow(words)
        if not words or not ways:
            return None
        blocks = frozenset(self._blocks[place] for place in ways)
        return Beginning(blocks, _slots(words, next(iter(ways.values()))))

    def outlook(self, words: Sequence[str]) -> Outlook:
        """Whether more may follow these first words of a sentence, must, or cannot."""
        places = self._follow(words)
        if not any(place in self._ends for place in places):
            return "unfinished" if places else "open"
        return "open" if any(self._steps[place] for place in places) else "over"

    def _follow(self, words: Sequence[str]) -> dict[int, _Way]:
        """The first way to each place that the words lead to, in the order of drawing."""
        ways: dict[int, _Way] = {0: None}
        for word in words:
            reached: dict[int, _Way] = {}
            for place, way in ways.items():
                for step in self._steps[place].get(word, ()):
                    reached.setdefault(step.goal, (way, step))
            ways = reached
        return ways

    # ---- as what may be said ----

    def word_net(self) -> tuple[WordNet, list[tuple[str, tuple[int, ...]]]]:
        """The smallest network of the same sentences, and sentences of several blocks."""
        places: dict[tuple[int, ...], int] = {(0,): 0}
        queue: list[tuple[int, ...]] = [(0,)]
        children: list[dict[str, int]] = []
        ends: list[tuple[int, ...]] = []
        before: list[tuple[int, str]] = [(0, "")]
        for node, group in enumerate(queue):
            reached: dict[str, set[int]] = defaultdict(set)
            for place in group:
                for word, steps in self._steps[place].items():
                    reached[word].update([step.goal for step in steps])
            found = {}
            for word, goals in reached.items():
                key = tuple(sorted(goals)) if len(goals) > 1 else tuple(goals)
                if key not in places:
                    places[key] = len(queue)
                    queue.append(key)
                    before.append((node, word))
                found[word] = places[key]
            children.append(found)
            ends.append(tuple(sorted({self._ends[p][0] for p in group if p in self._ends})))
        doubtful = [(_path(before, node), e) for node, e in enumerate(ends) if len(e) > 1]
        return _smallest(children, [bool(e) for e in ends]), doubtful


_Way = tuple["_Way", _Step] | None


def _slots(words: Sequence[str], way: _Way, last: Sequence[Tag] = ()) -> dict[str, Any]:
    """The slots of the words that led a way; ``last`` are the tags at its end."""
    steps = [_Step(0, tuple(last), ())]
    while way is not None:
        way, step = way
        steps.append(step)
    slots: dict[str, Any] = {}
    begun: dict[str, int] = {}
    for at, step in enumerate(reversed(steps)):
        for tags, position in ((step.before, at), (step.after, at + 1)):
            for tag in tags:
                if isinstance(tag, Open):
                    begun[tag.slot] = at
                elif tag.convert is None:
                    slots[tag.slot] = tag.value
                else:
                    slots[tag.slot] = tag.convert(words[begun[tag.slot] : position])
    return slots


def _path(before: Sequence[tuple[int, str]], node: int) -> str:
    words: list[str] = []
    while node:
        node, word = before[node]
        words.append(word)
    return " ".join(reversed(words))


def _smallest(children: Sequence[Mapping[str, int]], is_end: Sequence[bool]) -> WordNet:
    """Merge places from which the same may follow; there is no circle."""
    order: list[int] = []  # a place comes after all that follow it
    state = bytearray(len(children))  # 0 new, 1 open, 2 done
    stack = [0]
    while stack:
        node = stack[-1]
        if state[node] == 0:
            state[node] = 1
            stack += [goal for goal in children[node].values() if state[goal] == 0]
        else:
            stack.pop()
            if state[node] == 1:
                state[node] = 2
                order.append(node)
    known: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}
    same = [0] * len(children)
    made: list[tuple[bool, tuple[tuple[str, int], ...]]] = []
    for node in order:
        arcs = tuple(sorted((word, same[goal]) for word, goal in children[node].items()))
        key = (is_end[node], arcs)
        if key not in known:
            known[key] = len(made)
            made.append(key)
        same[node] = known[key]
    last = len(made) - 1  # the start came last, and becomes 0
    arcs_ = tuple((last - n, last - g, w) for n, (_, arcs) in enumerate(made) for w, g in arcs)
    finals = {last - n: 0.0 for n, (is_final, _) in enumerate(made) if is_final}
    return WordNet(len(made), arcs_, finals)
