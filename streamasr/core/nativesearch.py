"""The graph search compiled from ``search.c``, where that could be done: about ten times as fast.

    search = NativeSearch(model) if is_available() else PlainSearch(model)

Installing compiles it if there is a C compiler (``hatch_build.py``); without it everything
works, slower. Both are held to the same answers by tests. The library is plain C called
through ctypes, so it needs no headers of Python's and fits any version of it; calls let go
of the interpreter lock. Hot words are left to `core.pathsearch.PlainSearch`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from weakref import WeakKeyDictionary, finalize

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats, GraphModel
from streamasr.core.phones import PHONES
from streamasr.core.readings import TRIES, Path, Reading

LIBRARY = __file__.rpartition("/")[0] + "/_search.so"
MOST_ACTIVE = 32_767
"""The library numbers the tokens of an emission by 16 bits."""

_ARRAYS = (
    "phones", "firsts", "goals", "costs", "outputs", "end_firsts", "end_goals", "end_costs",
    "end_outputs", "shorter", "shorter_costs", "finals",
)  # fmt: skip
_DIALS = ("silence_cost", "phone_cost", "word_cost", "beam", "lattice_beam")


class _Graph(ctypes.Structure):
    """``Graph`` of search.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (*_ARRAYS, "offsets")),
        *((name, ctypes.c_int32) for name in ("roots", "start", "max_active")),
        *((name, ctypes.c_float) for name in ("scale", *_DIALS)),
    )


_POINTER, _INT, _FLOAT, _DOUBLE = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float, ctypes.c_double
_CALLS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "new": (_POINTER, (_POINTER,)),
    "free": (None, (_POINTER,)),
    "reset": (None, (_POINTER,)),
    "push": (_INT, (_POINTER, _POINTER, _INT, _INT, _POINTER)),
    "emissions": (_INT, (_POINTER,)),
    "tokens": (_INT, (_POINTER,)),
    "bytes": (ctypes.c_int64, (_POINTER,)),
    "agreed": (_INT, (_POINTER, _FLOAT, _INT)),
    "narrow": (_INT, (_POINTER, _INT)),
    "settle": (None, (_POINTER, _INT, _POINTER, _POINTER)),
    "words": (_INT, (_POINTER, _INT, _POINTER)),
    "path": (None, (_POINTER, _POINTER, _POINTER)),
    "readings": (_INT, (_POINTER, _DOUBLE, _INT, _INT)),
    "reading": (_DOUBLE, (_POINTER, _INT, _POINTER, _POINTER)),
    "forget_readings": (None, (_POINTER,)),
    "ctc": (None, (_POINTER, _INT, _INT, _POINTER, _POINTER, _INT, _INT, _POINTER)),
}


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled library, or None where it was not made."""
    try:
        library = ctypes.CDLL(LIBRARY)
        for name, (answer, arguments) in _CALLS.items():
            call = getattr(library, f"streamasr_{name}")
            call.restype, call.argtypes = answer, arguments
    except (OSError, AttributeError):
        return None
    return library


def is_available() -> bool:
    """Whether the compiled search is there."""
    return _library() is not None


_GRAPHS: WeakKeyDictionary[GraphModel, tuple[_Graph, list[NDArray[np.generic]]]]
_GRAPHS = WeakKeyDictionary()


def _graph(model: GraphModel) -> _Graph:
    """What the library needs of a model; kept as long as the model."""
    if model not in _GRAPHS:
        graph, options = model.graph, model.options
        offsets = np.float32(options.prior_scale) * model.log_priors.astype(np.float32)
        arrays = [np.ascontiguousarray(getattr(graph, name)) for name in _ARRAYS]
        arrays.append(offsets)
        made = _Graph(
            *(array.ctypes.data for array in arrays),
            graph.roots,
            graph.start,
            options.max_active,
            options.acoustic_scale,
            *(getattr(options, name) for name in _DIALS),
        )
        _GRAPHS[model] = made, arrays
    return _GRAPHS[model][0]


class NativeSearch:
    """The search of one utterance with its best path; see `core.pathsearch.Search`."""

    def __init__(self, model: GraphModel) -> None:
        library = _library()
        assert library is not None, "ask is_available first"
        self._calls = library
        self._model = model
        self._graph = _graph(model)  # must outlive the handle
        self._handle = library.streamasr_new(ctypes.byref(self._graph))
        finalize(self, library.streamasr_free, self._handle)
        self.emissions = 0

    def push(self, log_probs: Floats, early: int = -1) -> tuple[int, int]:
        rows = np.ascontiguousarray(log_probs, np.float32)
        assert rows.shape[1] == len(PHONES)
        taken = ctypes.c_int32()
        quiet = self._calls.streamasr_push(
            self._handle, rows.ctypes.data, len(rows), early, ctypes.byref(taken)
        )
        self.emissions += taken.value
        return int(quiet), taken.value

    def agreed(self, doubt: float, most: int) -> int:
        return int(self._calls.streamasr_agreed(self._handle, doubt, most))

    def narrow(self, latest: int) -> int:
        return int(self._calls.streamasr_narrow(self._handle, latest))

    def settle(self, path: Path, emissions: int) -> None:
        labels = np.array(path.labels[:emissions], np.uint8)
        outputs = np.array(path.outputs[:emissions], np.int32)
        self._calls.streamasr_settle(
            self._handle, emissions, labels.ctypes.data, outputs.ctypes.data
        )

    def words(self, settled: int) -> tuple[int, ...]:
        buffer = (ctypes.c_int32 * max(1, self.emissions))()
        count = self._calls.streamasr_words(self._handle, settled, buffer)
        return tuple(buffer[:count])

    def path(self) -> Path:
        labels, outputs = self._buffers()
        self._calls.streamasr_path(self._handle, labels.ctypes.data, outputs.ctypes.data)
        return Path([], labels.tolist(), outputs.tolist())

    def readings(self) -> list[Reading]:
        options, call = self._model.options, self._calls
        labels, outputs = self._buffers()
        found = call.streamasr_readings(
            self._handle, options.lattice_beam, options.candidates, TRIES * options.candidates
        )
        readings = []
        for number in range(found):
            cost = call.streamasr_reading(
                self._handle, number, labels.ctypes.data, outputs.ctypes.data
            )
            readings.append(Reading(cost, Path([], labels.tolist(), outputs.tolist())))
        call.streamasr_forget_readings(self._handle)
        return readings

    @property
    def memory_bytes(self) -> int:
        return int(self._calls.streamasr_bytes(self._handle))

    def _buffers(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        return np.empty(self.emissions, np.uint8), np.empty(self.emissions, np.int32)


def ctc_log_probs(log_probs: Floats, targets: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """log P(target | emissions) for each target, a likely one first; log_probs [emissions, units].

    Targets that begin alike share their work.
    """
    library = _library()
    assert library is not None, "ask is_available first"
    log_probs = np.ascontiguousarray(log_probs, np.float32)
    order = sorted(range(len(targets)), key=lambda number: list(targets[number]))
    lengths = np.array([len(targets[number]) for number in order], np.int32)
    units = np.array([unit for number in order for unit in targets[number]], np.int32)
    logs = np.empty(len(targets))
    library.streamasr_ctc(
        log_probs.ctypes.data,
        *log_probs.shape,
        units.ctypes.data,
        lengths.ctypes.data,
        len(targets),
        order.index(0),
        logs.ctypes.data,
    )
    unsorted = np.empty(len(targets))
    unsorted[order] = logs
    return unsorted
