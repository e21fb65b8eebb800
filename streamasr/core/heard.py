"""What both heads said of an open utterance, kept small until its last choice is made.

The sub-word head spreads a little probability over all of its units. What lies below
`FAINT` decides nothing, so only the rest is kept: about 150 of 512 units a row, as a mask
and their values. What lies before settled words is forgotten.
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
        self.first = 0
        """The first emission that is not forgotten."""
        self._rows = 0  # of units so far: their rate may be lower
        self._first_row = 0  # that is not forgotten
        self._fresh: list[Emissions] = []  # not packed yet
        self._phones = bytearray()  # float16 [emissions, phones]
        self._width = 0  # phones
        self._units = 0  # units of the sub-word head
        self._masks = bytearray()  # a bit for each unit that is kept, rows of whole bytes
        self._values = bytearray()  # float16

    def push(self, emissions: Emissions) -> None:
        """Take the answer to a step; it must have phones."""
        assert emissions.phones is not None, "a graph is only loaded for a model with a phone head"
        self.emissions += len(emissions.phones)
        self._rows += len(emissions.units)
        self._fresh.append(emissions)
        if len(self._fresh) == FRESH:
            self._pack()

    def forget(self, emissions: int) -> None:
        """Forget the first so many emissions, and the rows of units that lie before them."""
        self._pack()
        row = self._row(emissions)
        kept = int(self._kept(self._first_row, row).sum())
        del self._values[: 2 * kept]
        del self._masks[: self._mask_bytes * (row - self._first_row)]
        del self._phones[: 2 * self._width * (emissions - self.first)]
        self.first, self._first_row = emissions, row

    def phones(self) -> NDArray[np.float16]:
        """Log-probabilities [emissions, phones] from emission `first` on."""
        self._pack()
        return np.frombuffer(bytes(self._phones), np.float16).reshape(-1, self._width)

    def units(self, emissions: int) -> Floats:
        """Log-probabilities [rows, units] up to the first so many emissions.

        At the units' own rate, and from `first` on.
        """
        self._pack()
        last = -(-emissions * self._rows // max(1, self.emissions))
        near = self._kept(self._first_row, last)
        units = np.full(near.shape, FORGOTTEN, np.float32)
        units[near] = np.frombuffer(self._values, np.float16, int(near.sum()))
        return units

    @property
    def memory_bytes(self) -> int:
        fresh = sum(part.nbytes for each in self._fresh for part in each if part is not None)
        return fresh + len(self._phones) + len(self._masks) + len(self._values)

    def _pack(self) -> None:
        if not self._fresh:
            return
        units = np.concatenate([each.units for each in self._fresh])
        phones = np.concatenate([each.phones for each in self._fresh if each.phones is not None])
        self._fresh = []
        self._width, self._units = phones.shape[1], units.shape[1]
        self._phones += phones.astype(np.float16).tobytes()
        near = units > FAINT
        self._masks += np.packbits(near, axis=1).tobytes()
        self._values += units[near].astype(np.float16).tobytes()

    def _row(self, emission: int) -> int:
        return emission * self._rows // max(1, self.emissions)

    @property
    def _mask_bytes(self) -> int:
        return -(-self._units // 8)

    def _kept(self, first: int, last: int) -> NDArray[np.bool_]:
        """Which units are kept of some rows: [rows, units]."""
        count, start = last - first, first - self._first_row
        masks = np.frombuffer(
            self._masks, np.uint8, count * self._mask_bytes, start * self._mask_bytes
        )
        bits = np.unpackbits(masks.reshape(count, self._mask_bytes), axis=1, count=self._units)
        return bits.astype(np.bool_)
