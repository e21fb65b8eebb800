"""What makes small torch steps fast: fused recurrent cells, and CUDA graphs by batch size.

A step is a hundred small kernels; starting them one by one costs more than running them. A CUDA
graph starts all with one call, but has a fixed batch size and fixed addresses. So steps
are recorded for a ladder of sizes, and a batch runs on the next size up, its spare rows working
on a slot that belongs to nobody. Without CUDA the same functions run, unrecorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamasr.core.network import AcousticModel

Step = Callable[[], None]
WARM_UP = 3
"""Runs before a recording, in which libraries choose their kernels and take their memory."""


class StepCells:
    """Runs LSTM layers for exactly one step, each as one product of [x, h] with both matrices.

    Products are in ``kind``; gates, cells and what comes out are float32. For
    `AcousticModel.run_layers_with`.
    """

    def __init__(self, model: AcousticModel, kind: torch.dtype) -> None:
        self._kind = kind
        self._fused: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        for lstm in model.modules():
            if not isinstance(lstm, nn.LSTM):
                continue
            part = {name: weight.detach() for name, weight in lstm.named_parameters()}
            weight = torch.cat([part["weight_ih_l0"], part["weight_hh_l0"]], dim=1).to(kind)
            self._fused[lstm] = weight, part["bias_ih_l0"] + part["bias_hh_l0"]

    def __call__(
        self, lstm: nn.LSTM, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Any]:
        """x [1, batch, width], state two of [1, batch, width]: as ``lstm(x, state)``."""
        weight, bias = self._fused[lstm]
        hidden, cell = state
        with torch.autocast(x.device.type, enabled=False):
            both = torch.cat([x[0].to(self._kind), hidden[0].to(self._kind)], dim=1)
            gates = F.linear(both, weight).float() + bias
            enter, keep, candidate, output = gates.chunk(4, dim=1)
            kept = keep.sigmoid() * cell[0]
            cell = (kept + enter.sigmoid() * candidate.tanh())[None]
            hidden = output.sigmoid()[None] * cell.tanh()
        return hidden, (hidden, cell)


class Recorder:
    """Records steps once, and gives back what plays them."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def record(self, step: Step) -> Step:
        """``step`` must read and write the same tensors each time, and wait for nothing.

        Recordings share memory, so only one may run at a time, in the order of one stream.
        """
        if self._device.type != "cuda":
            step()
            return step
        return self._record_cuda(step)  # pragma: no cover

    def _record_cuda(self, step: Step) -> Step:  # pragma: no cover
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            step()
        self._pool = graph.pool()
        replay: Step = graph.replay
        return replay


def ladder(capacity: int, largest: int) -> list[int]:
    """Batch sizes to record: powers of two up to one that holds all, or to ``largest``."""
    sizes = [1]
    while sizes[-1] < min(capacity, largest):
        sizes.append(2 * sizes[-1])
    return sizes
