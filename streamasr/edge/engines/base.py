"""What engines share: claiming slots, and rows of state in one slab."""

from __future__ import annotations

from streamasr.errors import CapacityError


class Slots:
    """Hands out the numbers 0..capacity - 1; the lowest free one first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._free = list(range(capacity - 1, -1, -1))
        self._taken: set[int] = set()

    def __len__(self) -> int:
        return len(self._taken)

    def claim(self) -> int:
        if not self._free:
            raise CapacityError(
                f"all {self.capacity} streams of the engine are in use", remedy="try again later"
            )
        slot = self._free.pop()
        self._taken.add(slot)
        return slot

    def release(self, slot: int) -> None:
        """Give a slot back; one that was not claimed is a mistake of the caller."""
        self._taken.remove(slot)
        self._free.append(slot)
