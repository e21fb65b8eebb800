"""What engines share: handing out slots, each a row of state in one slab.

Two ways to step. `SlottedEngine.step` takes a list and gives copies: what the daemon and files
use. `SlottedEngine.step_rows` is the one below it, for whoever keeps many streams as arrays:
samples are written into ``inbox``, and answers are read where the engine left them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.model import Emissions, ModelFacts
from streamasr.errors import CapacityError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class SlottedEngine(ABC):
    """Slots 0..capacity - 1, the lowest free one first."""

    facts: ModelFacts
    device: str
    inbox: Floats
    """Samples of the next step [capacity, step_samples], a row for each stream in it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._free = list(range(capacity - 1, -1, -1))
        self._taken: set[int] = set()

    def open(self) -> int:
        """Claim a slot with fresh state; raises CapacityError when all are taken."""
        if not self._free:
            raise CapacityError(
                f"all {self.capacity} streams of the engine are in use", remedy="try again later"
            )
        slot = self._free.pop()
        self._taken.add(slot)
        self.reset(slot)
        return slot

    def close(self, slot: int) -> None:
        """Give a slot back; one that was not claimed is a mistake of the caller."""
        self._taken.remove(slot)
        self._free.append(slot)

    def step(self, batch: Sequence[tuple[int, Floats]]) -> list[Emissions]:
        """See `core.recognizer.Engine.step`; answers are copies that the caller owns."""
        if not batch:
            return []
        for row, (_, samples) in enumerate(batch):
            self.inbox[row] = samples
        answers = self.step_rows(np.array([slot for slot, _ in batch]))
        heads = [[None] * len(batch) if head is None else head.copy() for head in answers]
        return [Emissions(*rows) for rows in zip(*heads, strict=True)]

    @abstractmethod
    def step_rows(self, slots: Ints) -> Emissions:
        """Advance ``slots`` [n], none twice, by the samples in the first n rows of ``inbox``.

        Returns what `Emissions` holds, with n in front, as views that the next step writes over.
        """

    @abstractmethod
    def reset(self, slot: int) -> None:
        """Give the slot fresh state."""
