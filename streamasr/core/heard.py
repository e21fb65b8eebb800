"""What both heads said of an open utterance, kept small until its last choice is made.

The sub-word head spreads a little probability over all of its units. What lies below
`FAINT` decides nothing, so only the rest is kept: about fifty of 256 units an emission.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats
from streamasr.core.model import Emissions

FAINT = -14.0
"""Log-probabilities of units below this are forgotten,"""
FORGOTTEN = -16.0
"""and taken for this afterwards."""
FRESH = 4
"""Steps that are packed together."""


class Heard:
    """The emissions of one utterance, in order."""

    def __init__(self) -> None:
        self.emissions = 0
        self._fresh: list[Emissions] = []  # not packed yet
        self._phones = bytearray()  # float16 [emissions, phones]
        self._width = 0  # phones
        self._units = 0  # units of the sub-word head
        self._counts: list[int] = []  # units kept of each emission
        self._kept = bytearray()  # their numbers: uint8, or uint16 where there are more
        self._values = bytearray()  # float16

    def push(self, emissions: Emissions) -> None:
        """Take the answer to a step; it must have phones."""
        assert emissions.phones is not None, "a graph is only loaded for a model with a phone head"
        self.emissions += len(emissions.phones)
        self._fresh.append(emissions)
        if len(self._fresh) == FRESH:
            self._pack()

    def _pack(self) -> None:
        if not self._fresh:
            return
        units = np.concatenate([each.units for each in self._fresh])
        phones = np.concatenate([each.phones for each in self._fresh if each.phones is not None])
        self._fresh = []
        self._width, self._units = phones.shape[1], units.shape[1]
        self._phones += phones.astype(np.float16).tobytes()
        near = units > FAINT
        self._counts += near.sum(axis=1).tolist()
        self._kept += near.nonzero()[1].astype(self._kind).tobytes()
        self._values += units[near].astype(np.float16).tobytes()

    @property
    def _kind(self) -> type[np.unsignedinteger]:
        return np.uint8 if self._units <= 256 else np.uint16

    def phones(self) -> NDArray[np.float16]:
        """Log-probabilities [emissions, phones]."""
        self._pack()
        return np.frombuffer(bytes(self._phones), np.float16).reshape(-1, self._width)

    def units(self, emissions: int) -> Floats:
        """Log-probabilities [rows, units] of the first so many, at the units' own rate."""
        self._pack()
        rows = -(-emissions * len(self._counts) // max(1, self.emissions))
        counts = self._counts[:rows]
        kept = sum(counts)
        units = np.full((rows, self._units), FORGOTTEN, np.float32)
        numbers = np.frombuffer(self._kept, self._kind, kept)
        values = np.frombuffer(self._values, np.float16, kept)
        units[np.repeat(np.arange(rows), counts), numbers] = values
        return units

    @property
    def memory_bytes(self) -> int:
        fresh = sum(part.nbytes for each in self._fresh for part in each if part is not None)
        packed = len(self._phones) + len(self._kept) + len(self._values)
        return fresh + packed + 8 * len(self._counts)
