"""What the workers of one daemon know of each other: how many streams each holds and can hold.

    tally = Tally(shared(workers=2), number=0)     # in each worker, over the same memory
    tally.update(streams=3, room=200)
    tally.streams                                  # of all workers

A daemon without workers keeps a tally of its own. Each number has one writer, so nothing
is locked.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from multiprocessing import get_context
from multiprocessing.context import SpawnContext

SPAWN: SpawnContext = get_context("spawn")


def shared(workers: int) -> MutableSequence[int]:
    """Memory that spawned processes share: streams and room of each worker."""
    counts: MutableSequence[int] = SPAWN.RawArray("l", 2 * workers)
    return counts


class Tally:
    """The counts of all workers, and one worker's place in them."""

    def __init__(self, counts: MutableSequence[int] | None = None, number: int = 0) -> None:
        self._counts: MutableSequence[int] = [0, 0] if counts is None else counts
        self._number = number

    def update(self, *, streams: int, room: int) -> None:
        """Write this worker's numbers."""
        self._counts[2 * self._number] = streams
        self._counts[2 * self._number + 1] = room

    def clear(self, number: int) -> None:
        """Forget a worker that is no more."""
        self._counts[2 * number] = self._counts[2 * number + 1] = 0

    @property
    def streams(self) -> int:
        """Open streams of all workers."""
        return sum(self._counts[0::2])

    @property
    def room(self) -> int:
        """Streams that all workers can hold."""
        return sum(self._counts[1::2])

    @property
    def workers(self) -> int:
        return len(self._counts) // 2
