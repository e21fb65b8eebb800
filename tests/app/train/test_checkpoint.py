from pathlib import Path

import pytest
import torch
from torch import nn

from streamasr.app.train import checkpoint
from streamasr.app.train.checkpoint import Progress
from streamasr.errors import ConfigError


def build() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(3, 2)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def update(model: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimiser.zero_grad()
    model(torch.randn(4, 3)).square().sum().backward()
    optimiser.step()


def test_a_resumed_run_takes_exactly_the_same_path(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model, optimiser = build()
    update(model, optimiser, 0)
    checkpoint.save(tmp_path, model, optimiser, Progress(epoch=2, batch=5, update=9))
    for seed in range(3):
        update(model, optimiser, seed)
    other, other_optimiser = build()
    progress = checkpoint.resume(tmp_path, other, other_optimiser)
    assert progress == Progress(epoch=2, batch=5, update=9)
    for seed in range(3):
        update(other, other_optimiser, seed)
    assert torch.equal(model.weight, other.weight)


def test_nothing_to_resume_is_no_error(tmp_path: Path) -> None:
    assert checkpoint.resume(tmp_path, *build()) is None


def test_old_epochs_are_dropped_and_the_rest_average(tmp_path: Path) -> None:
    model, _ = build()
    for epoch in range(5):
        nn.init.constant_(model.weight, float(epoch))
        checkpoint.save_epoch(tmp_path, model, epoch, keep=3)
    files = checkpoint.epoch_files(tmp_path)
    assert [f.name for f in files] == [f"epoch-00{e}.safetensors" for e in (2, 3, 4)]
    assert torch.equal(checkpoint.average(files)["weight"], torch.full((2, 3), 3.0))


def test_averaging_nothing_is_named() -> None:
    with pytest.raises(ConfigError, match="no finished epoch"):
        checkpoint.average([])
