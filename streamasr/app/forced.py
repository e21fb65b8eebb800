"""Forced alignment: when each phone of a known text was said, by the Viterbi algorithm.

    sentence = Sentence.build(["to", "go"], lexicon)
    path = sentence.align(scores)          # float32 [frames, phones], higher is likelier
    sentence.words(path), sentence.phones(path)

A sentence is a graph of phones: every pronunciation of a word beside the others, a
silence that may be skipped between words and at both ends. Each frame belongs to one
phone, and none is shorter than ``shortest`` frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONE_IDS, PHONES, SILENCE

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Timed = tuple[str, int, int]
"""Label, first frame, number of frames."""

SHORTEST = 3
SILENCE_WORD = "<sil>"
_START = -1


@dataclass(slots=True)
class Sentence:
    """The ways to say a sentence; nodes are phones in an order that time respects."""

    texts: Sequence[str]
    phone: list[int] = field(default_factory=list)
    word: list[int] = field(default_factory=list)
    """The index of each node's word; -1 in silence."""
    before: list[list[int]] = field(default_factory=list)
    """Nodes that may come right before; -1 is the start."""
    last: list[int] = field(default_factory=list)
    """Nodes that the sentence may end with."""

    @classmethod
    def build(
        cls, words: Sequence[str], lexicon: Mapping[str, Sequence[Sequence[str]]]
    ) -> Sentence | None:
        """None where a word has no pronunciation, or there is no word."""
        if not words or not all(lexicon.get(word) for word in words):
            return None
        sentence = cls(words)
        sentence.last = [_START, sentence._add(SILENCE, -1, [_START])]
        for index, word in enumerate(words):
            ends = []
            for said in lexicon[word]:
                reached = sentence.last
                for phone in said:
                    reached = [sentence._add(PHONE_IDS[phone], index, reached)]
                ends += reached
            sentence.last = [*ends, sentence._add(SILENCE, -1, ends)]
        return sentence

    def _add(self, phone: int, word: int, before: list[int]) -> int:
        self.phone.append(phone)
        self.word.append(word)
        self.before.append(before)
        return len(self.phone) - 1

    def align(self, scores: Floats, *, shortest: int = SHORTEST) -> Ints | None:
        """The best path as a node for every frame; None if the frames are too few."""
        frames, nodes = len(scores), len(self.phone)
        # Columns: the nodes, then the start, then a place that nothing reaches.
        width = max(len(b) for b in self.before)
        sources = np.full((nodes, width), nodes + 1)
        for node, before in enumerate(self.before):
            sources[node, : len(before)] = [nodes if b == _START else b for b in before]
        emitted = scores[:, self.phone]  # [frames, nodes]
        done = np.full(nodes + 2, -np.inf, np.float32)  # scores of phones long enough to leave
        done[nodes] = 0.0
        young = np.full((shortest, nodes), -np.inf, np.float32)  # by age in frames, newest first
        entered = np.zeros((frames, nodes), np.int32)
        stayed = np.zeros((frames, nodes), np.bool_)
        rows = np.arange(nodes)
        for t in range(frames):
            choice = done[sources].argmax(axis=1)
            entered[t] = sources[rows, choice]
            enter = done[entered[t]]
            stay = done[:nodes]
            grown = young[shortest - 2] if shortest > 1 else enter
            stayed[t] = stay > grown
            mature = np.maximum(stay, grown) + emitted[t]
            young[1:] = young[:-1] + emitted[t]
            young[0] = enter + emitted[t]
            done[:nodes] = mature
            done[nodes] = -np.inf
        final = max(self.last, key=lambda node: done[node])
        if not np.isfinite(done[final]):
            return None
        return self._trace(final, entered, stayed, shortest)

    def _trace(
        self, node: int, entered: NDArray[np.int32], stayed: NDArray[np.bool_], shortest: int
    ) -> Ints:
        path = np.empty(len(entered), np.int64)
        t = len(entered) - 1
        while t >= 0:
            if stayed[t, node]:
                path[t] = node
                t -= 1
                continue
            path[t - shortest + 1 : t + 1] = node
            t -= shortest
            node = int(entered[t + 1, node])
        return path

    def phones(self, path: Ints) -> list[Timed]:
        """Every phone of a path, silences too."""
        starts = _starts(path)
        ends = [*starts[1:], len(path)]
        return [
            (PHONES[self.phone[int(path[a])]], a, b - a) for a, b in zip(starts, ends, strict=True)
        ]

    def words(self, path: Ints) -> list[Timed]:
        """Every word of a path, and "<sil>" between."""
        starts = _starts(np.array(self.word)[path])
        ends = [*starts[1:], len(path)]
        found = []
        for a, b in zip(starts, ends, strict=True):
            index = self.word[int(path[a])]
            found.append((self.texts[index] if index >= 0 else SILENCE_WORD, a, b - a))
        return found


def _starts(values: Ints) -> list[int]:
    """Where runs of equal values begin."""
    if not len(values):
        return []
    return [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]


def spread(log_probs: Floats, *, frames: int, per_emission: int, delay: float) -> Floats:
    """Interpolate emissions [n, phones] to frames of 10 ms, taking the head's delay off.

    Emission e was trained on what was said at frame (e + 0.5) · per_emission - delay
    (`app.alignment.phone_targets`); before the first and after the last it stands still.
    """
    at = (np.arange(frames) + 0.5 + delay) / per_emission - 0.5
    at = np.clip(at, 0, len(log_probs) - 1)
    low = np.minimum(at.astype(np.int64), max(0, len(log_probs) - 2))
    high = np.minimum(low + 1, len(log_probs) - 1)
    weight = (at - low)[:, None].astype(np.float32)
    mixed: Floats = log_probs[low] * (1 - weight) + log_probs[high] * weight
    return mixed
