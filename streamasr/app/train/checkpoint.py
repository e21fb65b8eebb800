"""Checkpoints: everything that an exact resume needs, written beside and renamed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from streamasr.errors import ConfigError

LATEST = "latest.pt"
_EPOCH_FILE = re.compile(r"epoch-(\d+)\.safetensors")


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0
    """Training time so far, over all resumes."""
    best_wer: float = float("inf")
    best_epoch: int = -1


def save(
    folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the latest checkpoint; a kill at any moment leaves a whole one behind."""
    partial = folder / f"{LATEST}.partial"
    torch.save(
        {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "progress": {name: getattr(progress, name) for name in Progress.__slots__},
        },
        partial,
    )
    partial.rename(folder / LATEST)


def resume(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress | None:
    """Load the latest checkpoint into model and optimiser, if there is one."""
    file = folder / LATEST
    if not file.is_file():
        return None
    saved: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    model.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    return Progress(**saved["progress"])


def save_epoch(folder: Path, model: nn.Module, epoch: int, *, keep: int) -> None:
    """Keep the weights of a finished epoch, and of the ``keep`` before it at most."""
    partial = folder / "epoch.partial"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, partial)
    partial.rename(folder / f"epoch-{epoch:03d}.safetensors")
    for old in epoch_files(folder)[:-keep]:
        old.unlink()


def epoch_files(folder: Path) -> list[Path]:
    """Weights of finished epochs, oldest first."""
    return sorted(p for p in folder.glob("epoch-*.safetensors") if _EPOCH_FILE.fullmatch(p.name))


def average(files: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of several epochs' weights."""
    if not files:
        raise ConfigError("no finished epoch to average", remedy="train for an epoch first")
    total: dict[str, Tensor] = {}
    for file in files:
        for name, weight in load_file(file).items():
            total[name] = total[name] + weight if name in total else weight.clone()
    return {name: weight / len(files) for name, weight in total.items()}
