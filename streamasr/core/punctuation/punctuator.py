"""Marks and cases for running words, from the scores of a network.

    punctuator = Punctuator(network)
    written, memory = punctuator.read(["how", "are", "you", PAUSE], punctuator.start)
    # Written(Mark.NONE, Case.LOWER) ..., Written(Mark.QUESTION, Case.LOWER)

What it says of a word depends on the words before it, and on one or two after it. So whoever
asks again with more words gets the same answers for all but the last of them; with
``waits=1`` for all but the last one, and its case stays even then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamasr.core.punctuation.scores import LOOKS
from streamasr.core.punctuation.tokens import FEATURES, Case, Mark, features

Memory = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What the network keeps of the words so far."""
LONGEST_WAIT = len(LOOKS)


class Network(Protocol):
    """Runs the network; ``start`` is its memory before any word."""

    @property
    def start(self) -> Memory: ...

    def run(self, ids: NDArray[np.int64], memory: Memory) -> tuple[NDArray[np.float32], Memory]:
        """Ids [n, FEATURES] -> scores [n, SCORES], and the memory after them."""


@dataclass(frozen=True, slots=True)
class Written:
    """How a word is to be written."""

    mark: Mark = Mark.NONE
    """After it."""
    case: Case = Case.LOWER
    """But for the capital that a sentence begins with."""


class Punctuator:
    """A network, asked for decisions."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def start(self) -> Memory:
        """The memory before any word."""
        return self._network.start

    def read(
        self, tokens: Sequence[str], memory: Memory, *, waits: int = LONGEST_WAIT
    ) -> tuple[list[Written], Memory]:
        """Decide on words in lower case and tokens of `tokens`, and remember them.

        A decision waits for as many tokens as ``waits`` says, 1 or 2, or for what there is:
        the last of all has no mark.
        """
        if not tokens:
            return [], memory
        ids = np.array([features(token) for token in tokens], np.int64).reshape(-1, FEATURES)
        scores, after = self._network.run(ids, memory)
        return decide(scores, waits=waits), after


def decide(scores: NDArray[np.float32], *, waits: int = LONGEST_WAIT) -> list[Written]:
    """What is said of each of n tokens by their scores [n, SCORES]."""
    count = len(scores)
    marks = np.full(count, Mark.NONE)
    cases = np.full(count, Case.LOWER)
    for look in LOOKS[:waits]:  # the longer look, where it can be had, wins
        if count > look.mark_delay:
            marks[: count - look.mark_delay] = scores[look.mark_delay :, look.marks].argmax(1)
        if count > look.case_delay:
            cases[: count - look.case_delay] = scores[look.case_delay :, look.cases].argmax(1)
    return [Written(Mark(m), Case(c)) for m, c in zip(marks, cases, strict=True)]
