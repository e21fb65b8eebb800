"""A weighted graph as arrays, collected in pieces and written in OpenFst's format."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

ARC = np.dtype([("input", "<i4"), ("output", "<i4"), ("cost", "<f4"), ("goal", "<i4")])
STATE = np.dtype(
    [("final", "<f4"), ("first", "<u4"), ("arcs", "<u4"), ("silent", "<u4"), ("mute", "<u4")]
)
_MAGIC = 2125659606
_UNALIGNED = 2
_EXPANDED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """States with their arcs, those of a state next to each other by input label."""

    start: int
    states: NDArray[np.void]
    arcs: NDArray[np.void]

    def write(self, file: Path) -> None:
        """Write as an OpenFst const FST over the tropical semiring."""
        header = struct.pack("<i", _MAGIC)
        for name in (b"const", b"standard"):
            header += struct.pack("<i", len(name)) + name
        header += struct.pack(
            "<iiQqqq", _UNALIGNED, 0, _EXPANDED, self.start, len(self.states), len(self.arcs)
        )
        partial = file.with_name(file.name + ".partial")
        with partial.open("wb") as out:
            out.write(header)
            out.write(self.states.tobytes())
            out.write(self.arcs.tobytes())
        partial.rename(file)


class Tails:
    """Hands out one state for each different tail."""

    def __init__(self) -> None:
        self._known: Ints = np.zeros(0, np.int64)
        self._states: Ints = np.zeros(0, np.int64)
        self.first_new = 0
        """States from here on were made by the last call of `numbers`."""

    def numbers(self, identities: Ints, arcs: ArcList) -> Ints:
        """The state of each identity, made where it is not known yet."""
        wanted, which = np.unique(identities, return_inverse=True)
        states = np.full(len(wanted), -1, np.int64)
        if len(self._known):
            at = np.minimum(np.searchsorted(self._known, wanted), len(self._known) - 1)
            hit = self._known[at] == wanted
            states[hit] = self._states[at[hit]]
        missing = states < 0
        self.first_new = arcs.states
        states[missing] = arcs.new_states(int(missing.sum()))
        known = np.concatenate([self._known, wanted[missing]])
        order = np.argsort(known, kind="stable")  # two sorted runs are merged
        self._known = known[order]
        self._states = np.concatenate([self._states, states[missing]])[order]
        return states[which]


class ArcList:
    """Arcs as they are added, and the number of states so far."""

    def __init__(self, states: int) -> None:
        self.states = states
        self.tails = Tails()
        self._origins: list[Ints] = []
        self._arcs: list[NDArray[np.void]] = []

    def new_states(self, count: int) -> Ints:
        self.states += count
        return np.arange(self.states - count, self.states)

    def add(
        self, origin: Ints, goal: Ints, label: ArrayLike, output: ArrayLike, cost: ArrayLike
    ) -> None:
        arcs = np.zeros(len(origin), ARC)
        arcs["input"], arcs["output"], arcs["cost"], arcs["goal"] = label, output, cost, goal
        self._origins.append(np.asarray(origin, np.int64))
        self._arcs.append(arcs)

    def graph(self, start: int, finals: NDArray[np.float64]) -> Graph:
        """The graph; ``finals`` are the final costs of the first states, inf for none."""
        origins = np.concatenate(self._origins)
        arcs = np.concatenate(self._arcs)
        order = np.lexsort((arcs["input"], origins))
        origins, arcs = origins[order], arcs[order]
        states = np.zeros(self.states, STATE)
        states["final"] = np.inf
        states["final"][: len(finals)] = finals
        states["arcs"] = np.bincount(origins, minlength=self.states)
        states["first"] = np.concatenate([[0], np.cumsum(states["arcs"])[:-1]])
        states["silent"] = np.bincount(origins[arcs["input"] == 0], minlength=self.states)
        states["mute"] = np.bincount(origins[arcs["output"] == 0], minlength=self.states)
        return Graph(start, states, arcs)
