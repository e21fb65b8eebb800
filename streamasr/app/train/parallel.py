"""Training in several processes: each takes its share of the batches, gradients are averaged.

torchrun --nproc-per-node 4 -m streamasr train recipes/librispeech-960h.toml ...

Without torchrun there is one process, and everything here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed as dist
from torch import nn

Item = TypeVar("Item")
PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: one of them may be decoding audio."""


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run, and which of them this is."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: str) -> Group:
        """Meet the others that torchrun has started, if it has."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not dist.is_initialized():
            if device == "cuda":
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
        return cls(dist.get_rank(), size)

    @property
    def leads(self) -> bool:
        """Whether this process writes files and measures on dev."""
        return self.rank == 0

    @contextmanager
    def lead_first(self) -> Iterator[None]:
        """Let the leader through alone, then the others: they find its files made."""
        if not self.leads:
            self._wait()
        yield
        if self.leads:
            self._wait()

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over all processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    def numbers(self, count: int) -> range:
        """Which of ``count`` items are this process's: as many as any other's."""
        return range(self.rank, count // self.size * self.size, self.size)

    def agree(self, values: Sequence[float], device: torch.device) -> list[float]:
        """The leader's values, for everybody."""
        shared = torch.tensor(values, dtype=torch.float64, device=device)
        if self.size > 1:
            dist.broadcast(shared, 0)
        return [float(v) for v in shared]

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()

    def _wait(self) -> None:
        if self.size > 1:
            dist.barrier()
