"""The torch engine: the reference on the CPU, and the way to a GPU.

The slab of state stays on the device. A step is one upload of rows from pinned memory, one
recorded run (`edge.engines.capture`), and one download into pinned memory; features are
computed on the device. On a GPU the large matrices are bfloat16, sums and state float32.

    row up      slot (int32 in the bits of a float32), samples [step_samples]
    row down    units [unit outputs · units], phones [outputs · phones], written [unit outputs · 2]
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from streamasr.core.model import Emissions
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import Bundle
from streamasr.edge.engines.base import Floats, Ints, SlottedEngine
from streamasr.edge.engines.capture import Recorder, Step, StepCells, ladder
from streamasr.edge.weights import read_weights
from streamasr.errors import BundleError, UsageError

LARGEST = 8192
"""Streams in one recorded run; larger batches are several."""


def load_network(bundle: Bundle) -> AcousticModel:
    """Build the network of a bundle with its weights, in float32, for evaluation."""
    model = AcousticModel(bundle.config)
    try:
        model.load_state_dict(read_weights(bundle.weights_file))
    except RuntimeError as error:
        raise BundleError(f"{bundle.path.name}: the weights do not fit: {error}") from None
    return model.eval()


class TorchEngine(SlottedEngine):
    """Steps streams through `AcousticModel`, with the slab of state on the device."""

    def __init__(
        self, bundle: Bundle, *, capacity: int, device: str, kind: torch.dtype | None = None
    ) -> None:
        """``kind`` is the type of products: bfloat16 on a GPU unless told, else float32."""
        super().__init__(capacity)
        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError("torch finds no CUDA device", remedy="--device cpu")
        self.facts = bundle.facts
        self.device = device
        self._kind = kind or (torch.bfloat16 if device == "cuda" else torch.float32)
        self._model = _prepare(load_network(bundle), self._kind).to(device)
        self._model.run_layers_with(StepCells(self._model, self._kind))
        self._sizes = ladder(capacity, LARGEST)
        self._spare = capacity
        """A row of the slab for rows of a recorded run that no stream needs."""
        self._slab = torch.zeros(capacity + 1, self.facts.state_size, device=device)
        facts, phones = self.facts, bundle.config.phones
        self._heads = [
            (facts.unit_outputs, len(facts.units)),
            (facts.outputs_per_step, phones),
            (facts.unit_outputs, 2 * facts.writes),
        ]
        """Shapes of what `Emissions` holds; no numbers where there is no such head."""
        self._allocate()
        self._record()

    def _allocate(self) -> None:
        """Rows for a whole step in pinned memory, and for a run of it on the device."""
        largest = self._sizes[-1]
        rows, up = self.capacity + largest, 1 + self.facts.step_samples
        splits = [outputs * numbers for outputs, numbers in self._heads]
        down = sum(splits)
        pinned = self.device == "cuda"
        self._up = torch.zeros(rows, up, pin_memory=pinned)
        self._down = torch.zeros(rows, down, pin_memory=pinned)
        self._rows_in = torch.zeros(largest, up, device=self.device)
        self._rows_in.view(torch.int32)[:, 0] = self._spare
        self._rows_out = torch.zeros(largest, down, device=self.device)
        self._slots: np.ndarray = self._up.numpy().view(np.int32)[:, 0]
        self.inbox = self._up.numpy()[: self.capacity, 1:]
        answers = np.split(self._down.numpy(), np.cumsum(splits)[:-1], axis=1)
        self._answers: list[Floats] = list(answers)

    @torch.inference_mode()
    def _record(self) -> None:
        recorder = Recorder(torch.device(self.device))
        # the largest first: the others find room in its memory
        sizes = reversed(self._sizes)
        self._steps: dict[int, Step] = {
            size: recorder.record(partial(self._step, size)) for size in sizes
        }

    def _step(self, size: int) -> None:
        """Advance what the first ``size`` uploaded rows say."""
        rows = self._rows_in[:size]
        slots = rows.view(torch.int32)[:, 0].long()
        mixed = self._kind != torch.float32
        # no cache: what it keeps would not be there when a recording plays
        with torch.autocast(self.device, self._kind, enabled=mixed, cache_enabled=False):
            units, phones, state, written = self._model(rows[:, 1:], self._slab[slots])
        self._slab.index_copy_(0, slots, state)
        heads = [head.flatten(1) for head in (units, phones, written) if head is not None]
        torch.cat(heads, dim=1, out=self._rows_out[:size])

    def reset(self, slot: int) -> None:
        self._slab[slot].zero_()

    @torch.inference_mode()
    def step_rows(self, slots: Ints) -> Emissions:
        """See `SlottedEngine.step_rows`; at most LARGEST streams an upload."""
        count = len(slots)
        self._slots[:count] = slots
        for start in range(0, count, self._sizes[-1]):
            left = min(count - start, self._sizes[-1])
            size = next(s for s in self._sizes if s >= left)
            self._slots[start + left : start + size] = self._spare
            rows = slice(start, start + size)
            self._rows_in[:size].copy_(self._up[rows], non_blocking=True)
            self._steps[size]()
            self._down[rows].copy_(self._rows_out[:size], non_blocking=True)
        if self.device == "cuda":
            torch.cuda.current_stream().synchronize()  # pragma: no cover
        answers = zip(self._answers, self._heads, strict=True)
        return Emissions(
            *(rows[:count].reshape(count, *head) if head[1] else None for rows, head in answers)  # type: ignore[arg-type]
        )


def _prepare(model: AcousticModel, kind: torch.dtype) -> AcousticModel:
    """Give the large matrices outside of the recurrent layers their type; heads stay float32."""
    for name in ("conv1", "conv2", "project"):
        model.get_submodule(name).to(kind)
    return model
