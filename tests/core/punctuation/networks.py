"""A network that says anything at all, by every token so far: the worst that can be met."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamasr.core.punctuation.punctuator import Memory
from streamasr.core.punctuation.scores import SCORES


class WildNetwork:
    """Scores by a hash of all tokens since the start."""

    def __init__(self, seed: int = 0) -> None:
        self.start: Memory = (np.full((1, 1, 1), seed, np.float32), np.zeros((1, 1, 1), np.float32))

    def run(self, ids: NDArray[np.int64], memory: Memory) -> tuple[NDArray[np.float32], Memory]:
        state, rows = int(memory[0][0, 0, 0]), []
        for row in ids.tolist():
            state = hash((state, *row)) % 1_000_003
            rows.append(np.random.default_rng(state).random(SCORES, np.float32))
        after = np.full((1, 1, 1), state, np.float32)
        return np.array(rows, np.float32), (after, memory[1])
