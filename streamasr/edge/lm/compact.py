"""A graph of arcs as the arrays that the search reads, and as a file that it maps.

The file is one line of JSON that says which arrays follow, then the arrays, each at a
multiple of 64 bytes. Mapped, it takes memory only where the search goes.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import NO_PHONE, SearchGraph, pack_words
from streamasr.core.phones import ENTER, STAY
from streamasr.edge.lm.arcs import Graph
from streamasr.errors import BundleError

MAGIC = "streamasr search graph"
ALIGNMENT = 64


def compact(graph: Graph, words: Sequence[str]) -> SearchGraph:
    """The arrays of a graph that `edge.lm.graph` built; output n says word n of ``words``."""
    arcs, states = graph.arcs, len(graph.states)
    origins = np.repeat(np.arange(states, dtype=np.int32), graph.states["arcs"])
    stays = (arcs["input"] >= STAY) & (arcs["input"] < ENTER)
    phones = np.full(states, NO_PHONE, np.uint8)
    phones[origins[stays]] = arcs["input"][stays] - STAY
    roots = int((phones == NO_PHONE).sum())
    assert np.all(phones[:roots] == NO_PHONE), "roots come first"
    ends = arcs["input"] == 0
    from_root = ends & (origins < roots)
    moves, ends = arcs[~stays & ~ends], ends & ~from_root
    shorter = np.arange(roots, dtype=np.int32)
    shorter_costs = np.zeros(roots, np.float32)
    shorter[origins[from_root]] = arcs["goal"][from_root]
    shorter_costs[origins[from_root]] = arcs["cost"][from_root]
    text, text_firsts = pack_words(words)
    return SearchGraph(
        phones=phones,
        firsts=_firsts(origins[~stays & (arcs["input"] != 0)], states),
        goals=moves["goal"].copy(),
        costs=moves["cost"].copy(),
        outputs=moves["output"].copy(),
        end_firsts=_firsts(origins[ends] - roots, states - roots),
        end_goals=arcs["goal"][ends],
        end_costs=arcs["cost"][ends],
        end_outputs=arcs["output"][ends],
        shorter=shorter,
        shorter_costs=shorter_costs,
        finals=graph.states["final"][:roots].copy(),
        start=graph.start,
        text=text,
        text_firsts=text_firsts,
    )


def _firsts(origins: NDArray[np.int32], count: int) -> NDArray[np.uint32]:
    firsts = np.zeros(count + 1, np.uint32)
    firsts[1:] = np.cumsum(np.bincount(origins, minlength=count))
    return firsts


def write_graph(graph: SearchGraph, file: Path) -> None:
    """Write a graph beside ``file`` and rename it; two processes may do so at a time."""
    arrays = {
        item.name: np.ascontiguousarray(value)
        for item in fields(graph)
        if isinstance(value := getattr(graph, item.name), np.ndarray)
    }
    rows: list[tuple[str, str, int, int]] = []
    size = 0
    for name, array in arrays.items():
        rows.append((name, array.dtype.str, len(array), size))
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    header = {"magic": MAGIC, "start": graph.start, "size": size, "arrays": rows}
    line = json.dumps(header).encode()
    line += b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as out:
            out.write(line)
            for array in arrays.values():
                out.write(array.tobytes())
                out.write(bytes(-array.nbytes % ALIGNMENT))
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)


def map_graph(file: Path) -> SearchGraph:
    """Map a graph that `write_graph` wrote; raises BundleError where it is not whole."""
    try:
        with file.open("rb") as stream:
            line = stream.readline()
            header: dict[str, Any] = json.loads(line)
            held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if header["magic"] != MAGIC or len(held) != len(line) + header["size"]:
            raise ValueError("it is not whole")
        arrays = {
            name: np.frombuffer(held, np.dtype(kind), count, len(line) + offset)
            for name, kind, count, offset in header["arrays"]
        }
        return SearchGraph(start=header["start"], **arrays)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BundleError(f"{file} is no search graph: {error}") from None
