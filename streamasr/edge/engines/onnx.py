"""The CPU engine: ONNX Runtime over one slab of state.

The state of all streams is one matrix [capacity, state_size]. A step gathers the rows
of its batch into a fixed buffer, runs the graph between fixed buffers, and scatters the
rows back: nothing of a stream's is allocated in the steady state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streamasr.core.model import Emissions, ModelFacts
from streamasr.edge.bundle import Bundle
from streamasr.edge.engines.base import SlottedEngine
from streamasr.errors import BundleError

Floats = NDArray[np.float32]
MAX_BATCH = 256
"""Streams in one run of the graph; larger batches are cut."""


class OnnxEngine(SlottedEngine):
    """Steps streams through a bundle's model.onnx."""

    def __init__(self, bundle: Bundle, *, capacity: int, threads: int) -> None:
        super().__init__(capacity)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.onnx_file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises a dozen private kinds
            raise BundleError(f"{bundle.path.name}: model.onnx cannot run: {error}") from error
        facts = bundle.facts
        _check_shapes(self._session, facts, bundle.config.phones, bundle.path.name)
        self.facts: ModelFacts = facts
        self.device = "cpu"
        rows = min(capacity, MAX_BATCH)
        self._slab = np.zeros((capacity, facts.state_size), np.float32)
        self._samples = np.zeros((rows, facts.step_samples), np.float32)
        self._state = np.zeros((rows, facts.state_size), np.float32)
        self._new_state = np.zeros((rows, facts.state_size), np.float32)
        self._units = np.zeros((rows, facts.outputs_per_step, len(facts.units)), np.float32)
        phones = bundle.config.phones
        self._phones = np.zeros((rows, facts.outputs_per_step, phones), np.float32)
        self._binding = self._session.io_binding()
        self._bound = 0

    def reset(self, slot: int) -> None:
        self._slab[slot] = 0.0

    def step(self, batch: Sequence[tuple[int, Floats]]) -> list[Emissions]:
        """See `core.recognizer.Engine.step`; answers are copies that the caller owns."""
        answers: list[Emissions] = []
        for start in range(0, len(batch), len(self._samples)):
            answers += self._run(batch[start : start + len(self._samples)])
        return answers

    def _run(self, batch: Sequence[tuple[int, Floats]]) -> list[Emissions]:
        count = len(batch)
        slots = [slot for slot, _ in batch]
        for row, (_, samples) in enumerate(batch):
            self._samples[row] = samples
        np.take(self._slab, slots, axis=0, out=self._state[:count])
        if count != self._bound:
            self._bind(count)
        self._session.run_with_iobinding(self._binding)
        self._slab[slots] = self._new_state[:count]
        units = self._units[:count].copy()
        if not self._phones.size:
            return [Emissions(row) for row in units]
        phones = self._phones[:count].copy()
        return [Emissions(*rows) for rows in zip(units, phones, strict=True)]

    def _bind(self, count: int) -> None:
        """Point the graph's inputs and outputs at the first ``count`` rows."""
        bind_input, bind_output = self._binding.bind_input, self._binding.bind_output
        for bind, name, buffer in (
            (bind_input, "samples", self._samples),
            (bind_input, "state", self._state),
            (bind_output, "units", self._units),
            (bind_output, "phones", self._phones),
            (bind_output, "new_state", self._new_state),
        ):
            rows = buffer[:count]
            if not rows.size:
                continue
            bind(name, "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
        self._bound = count


def _check_shapes(
    session: onnxruntime.InferenceSession, facts: ModelFacts, phones: int, name: str
) -> None:
    """Refuse a graph that does not fit the facts beside it."""
    found = {v.name: v.shape[1:] for v in [*session.get_inputs(), *session.get_outputs()]}
    expected = {
        "samples": [facts.step_samples],
        "state": [facts.state_size],
        "units": [facts.outputs_per_step, len(facts.units)],
        "new_state": [facts.state_size],
    }
    if phones:
        expected["phones"] = [facts.outputs_per_step, phones]
    for tensor, shape in expected.items():
        if found.get(tensor) != shape:
            raise BundleError(
                f"{name}: {tensor} of model.onnx is {found.get(tensor)}, expected {shape}"
            )
