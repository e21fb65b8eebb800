"""What engines share: handing out slots, each a row of state in one slab."""

from __future__ import annotations

from abc import ABC, abstractmethod

from streamasr.errors import CapacityError


class SlottedEngine(ABC):
    """Slots 0..capacity - 1, the lowest free one first."""

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

    @abstractmethod
    def reset(self, slot: int) -> None:
        """Give the slot fresh state."""
