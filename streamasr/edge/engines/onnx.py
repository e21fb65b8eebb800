"""The CPU engine: ONNX Runtime over one slab of state.

The state of all streams is one matrix [capacity, state_size]. A step gathers the rows
of its batch into a fixed buffer, runs the graph between fixed buffers, and scatters the
rows back: nothing is allocated in the steady state. docs/ENGINE.md says where its time goes.
"""

from __future__ import annotations

import numpy as np

from streamasr.core.model import Emissions, ModelFacts
from streamasr.edge.bundle import Bundle
from streamasr.edge.engines.base import Ints, SlottedEngine
from streamasr.edge.inference import Binding, Session, open_session
from streamasr.errors import BundleError

MAX_BATCH = 32
"""Streams in one run of the graph; larger batches are cut. With 64 a core carries 7 % more, but
ONNX Runtime keeps 130 KB for each stream of a run: 8 MB a worker instead of 4."""


class OnnxEngine(SlottedEngine):
    """Steps streams through a bundle's model.onnx."""

    def __init__(self, bundle: Bundle, *, capacity: int, threads: int) -> None:
        super().__init__(capacity)
        name = f"{bundle.path.name}: {bundle.onnx_file.name}"
        self._session = open_session(bundle.onnx_file, name=name, threads=threads)
        facts = bundle.facts
        _check_shapes(self._session, facts, bundle.config.phones, bundle.path.name)
        self.facts: ModelFacts = facts
        self.device = "cpu"
        phones = facts.outputs_per_step, bundle.config.phones
        self._slab = np.zeros((capacity, facts.state_size), np.float32)
        self._rows = min(capacity, MAX_BATCH)
        self._state = np.zeros((self._rows, facts.state_size), np.float32)
        self._new_state = np.zeros((self._rows, facts.state_size), np.float32)
        self.inbox = np.zeros((capacity, facts.step_samples), np.float32)
        self._units = np.zeros((capacity, facts.unit_outputs, len(facts.units)), np.float32)
        self._phones = np.zeros((capacity, *phones), np.float32)
        self._written = np.zeros((capacity, facts.unit_outputs, 2 * facts.writes), np.float32)
        self._bindings: dict[int, tuple[int, Binding]] = {}
        self._run(0, np.arange(self._rows))  # what ONNX Runtime keeps for a run is there now
        self._slab[: self._rows] = 0.0

    def reset(self, slot: int) -> None:
        self._slab[slot] = 0.0

    def step_rows(self, slots: Ints) -> Emissions:
        """See `SlottedEngine.step_rows`; at most MAX_BATCH streams a run."""
        count = len(slots)
        for start in range(0, count, self._rows):
            self._run(start, slots[start : start + self._rows])
        heads = self._units, self._phones, self._written
        return Emissions(*(head[:count] if head.size else None for head in heads))  # type: ignore[arg-type]

    def _run(self, start: int, slots: Ints) -> None:
        count = len(slots)
        # "clip" lets numpy write into the buffer; slots are never out of range
        np.take(self._slab, slots, axis=0, out=self._state[:count], mode="clip")
        bound, binding = self._bindings.get(start, (0, None))
        if bound != count:
            binding = self._bind(start, count)
            self._bindings[start] = count, binding
        self._session.run_with_iobinding(binding)
        self._slab[slots] = self._new_state[:count]

    def _bind(self, start: int, count: int) -> Binding:
        """Point the graph's inputs and outputs at ``count`` rows of the buffers."""
        binding = self._session.io_binding()
        run, rows = slice(0, count), slice(start, start + count)
        for bind, name, buffer in (
            (binding.bind_input, "samples", self.inbox[rows]),
            (binding.bind_input, "state", self._state[run]),
            (binding.bind_output, "units", self._units[rows]),
            (binding.bind_output, "phones", self._phones[rows]),
            (binding.bind_output, "written", self._written[rows]),
            (binding.bind_output, "new_state", self._new_state[run]),
        ):
            if buffer.size:
                bind(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
        return binding


def _check_shapes(session: Session, facts: ModelFacts, phones: int, name: str) -> None:
    """Refuse a graph that does not fit the facts beside it."""
    found = {v.name: v.shape[1:] for v in [*session.get_inputs(), *session.get_outputs()]}
    expected = {
        "samples": [facts.step_samples],
        "state": [facts.state_size],
        "units": [facts.unit_outputs, len(facts.units)],
        "new_state": [facts.state_size],
    }
    if phones:
        expected["phones"] = [facts.outputs_per_step, phones]
    if facts.writes:
        expected["written"] = [facts.unit_outputs, 2]
    for tensor, shape in expected.items():
        if found.get(tensor) != shape:
            raise BundleError(
                f"{name}: {tensor} of model.onnx is {found.get(tensor)}, expected {shape}"
            )
