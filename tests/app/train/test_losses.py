import torch
from torch.nn import functional as F

from streamasr.app.alignment import NO_TARGET
from streamasr.app.train.examples import Batch
from streamasr.app.train.losses import losses
from streamasr.app.train.mmi import join_chains
from streamasr.core.model import ModelConfig
from streamasr.core.network import Emissions

TWO = ModelConfig(outputs_per_step=2)


def batch(phones: torch.Tensor, targets: list[int], lengths: list[int]) -> Batch:
    rows = len(lengths)
    return Batch(
        samples=torch.zeros(rows, 1),
        steps=torch.full((rows,), 2),
        targets=torch.tensor(targets),
        target_lengths=torch.tensor(lengths),
        phones=phones,
        chains=join_chains([None] * rows),
        texts=[""] * rows,
    )


def test_ctc_is_counted_per_unit() -> None:
    """Four emissions, one unit "1": sum over all paths that collapse to it."""
    units = torch.full((1, 4, 2), 0.5).log()
    found = losses(Emissions(units, None, torch.zeros(1)), batch(torch.zeros(1, 4), [1], [1]), TWO)
    paths = sum(1 for start in range(4) for end in range(start, 4))  # runs of ones
    expected = -torch.log(torch.tensor(paths * 0.5**4))
    torch.testing.assert_close(found.ctc, expected)
    assert found.phone == 0


def test_phones_without_target_count_nothing() -> None:
    torch.manual_seed(0)
    phones = torch.randn(1, 4, 3).log_softmax(2)
    targets = torch.tensor([[2, NO_TARGET, 0, NO_TARGET]])
    units = torch.full((1, 4, 2), 0.5).log()
    found = losses(Emissions(units, phones, torch.zeros(1)), batch(targets, [1], [1]), TWO)
    torch.testing.assert_close(found.phone, -(phones[0, 0, 2] + phones[0, 2, 0]) / 2)
    best = phones[0, [0, 2]].argmax(1) == torch.tensor([2, 0])
    torch.testing.assert_close(found.phone_accuracy, best.float().mean())


def test_a_target_that_cannot_fit_does_not_poison_the_batch() -> None:
    units = torch.full((2, 4, 2), 0.5).log().requires_grad_()
    targets = batch(torch.zeros(2, 4), [1] * 9 + [1], [9, 1])
    found = losses(Emissions(units, None, torch.zeros(1)), targets, TWO)
    assert torch.isfinite(found.ctc)
    found.ctc.backward()
    assert bool(torch.isfinite(units.grad).all())
    expected = F.ctc_loss(units[1:].transpose(0, 1), torch.tensor([[1]]), [4], [1], reduction="sum")
    torch.testing.assert_close(found.ctc, expected / 10)
