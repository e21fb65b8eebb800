"""The layer written for speed against torch's own."""

import pytest
import torch
from torch import nn

from streamasr.app.train.recurrence import run_lstm


def run(layer: nn.LSTM, ours: bool, bf16: bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(7, 3, 16, generator=generator).requires_grad_()
    state = torch.randn(1, 3, 16, generator=generator), torch.randn(1, 3, 16, generator=generator)
    wanted = torch.randn(7, 3, 16, generator=generator)
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y, (hidden, cell) = run_lstm(layer, x, state) if ours else layer(x, state)
    (y.float() * wanted).sum().backward()
    gradients = {name: p.grad.clone() for name, p in layer.named_parameters()}
    return gradients | {"y": y, "hidden": hidden, "cell": cell, "x": x.grad}


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-5), (True, 3e-2)])
def test_outputs_state_and_gradients_are_those_of_torch(bf16: bool, tolerance: float) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(16, 16)
    expected, found = run(layer, False, bf16), run(layer, True, bf16)
    for name, value in expected.items():
        distance = (found[name].float() - value.float()).norm() / value.float().norm()
        assert distance < tolerance, name
