"""The two sums of MMI against counting every path."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from streamasr.app.train.mmi import (
    Chains,
    PhoneModel,
    denominator,
    join_chains,
    make_chain,
    mmi_loss,
    numerator,
    runs,
)

PHONES = 3


def small_model(seed: int = 0) -> PhoneModel:
    rng = torch.Generator().manual_seed(seed)
    stay = torch.rand(PHONES, generator=rng) * 0.8 + 0.1
    moves = torch.rand(PHONES, PHONES, PHONES, generator=rng)
    moves = moves / moves.sum(dim=2, keepdim=True) * (1 - stay)[:, None, None]
    start = torch.zeros(PHONES, PHONES)
    start[0] = torch.tensor([0.5, 0.3, 0.2])
    return PhoneModel(start, moves, stay)


def every_path(logs: Tensor, model: PhoneModel, wanted: list[int] | None = None) -> Tensor:
    """Log-sum over all ways to give each emission a phone, moving or staying; or over those
    that say ``wanted``. A move to the same phone is another way than staying."""
    totals = []
    steps = len(logs)
    for phones in itertools.product(range(PHONES), repeat=steps):
        for moved in itertools.product((False, True), repeat=steps - 1):
            if any(not m and a != b for m, a, b in zip(moved, phones, phones[1:], strict=False)):
                continue
            said = [phones[0], *(p for p, m in zip(phones[1:], moved, strict=True) if m)]
            if wanted is not None and said != wanted:
                continue
            score = model.start[0, phones[0]].log() + logs[0, phones[0]]
            before, now = 0, phones[0]
            for t in range(1, steps):
                if moved[t - 1]:
                    score = score + model.moves[now, before, phones[t]].log()
                    before, now = now, phones[t]
                else:
                    score = score + model.stay[now].log()
                score = score + logs[t, now]
            totals.append(score)
    return torch.stack(totals).logsumexp(dim=0)


def logs_of(batch: int, emissions: int, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(batch, emissions, PHONES, generator=rng)).log_softmax(dim=2)


def anywhere(sequences: list[list[int]]) -> Chains:
    longest = max(map(len, sequences))
    phones = torch.tensor([s + [0] * (longest - len(s)) for s in sequences])
    lengths = torch.tensor([len(s) for s in sequences])
    return Chains(phones, lengths, torch.zeros_like(phones), torch.full_like(phones, 99))


def test_denominator_sums_every_path_of_every_length() -> None:
    logs, steps, model = logs_of(2, 4), torch.tensor([4, 3]), small_model()
    total, posteriors = denominator(logs, steps, model)
    assert total[0].item() == pytest.approx(every_path(logs[0], model).item(), abs=1e-4)
    assert total[1].item() == pytest.approx(every_path(logs[1, :3], model).item(), abs=1e-4)
    assert torch.allclose(posteriors[0].sum(dim=1), torch.ones(4), atol=1e-5)
    assert posteriors[1, 3].abs().sum() == 0


def test_numerator_sums_every_path_that_says_the_chain() -> None:
    logs, steps, model = logs_of(2, 4), torch.tensor([4, 3]), small_model()
    total, _ = numerator(logs, steps, anywhere([[0, 2, 1], [1]]), model)
    assert total[0].item() == pytest.approx(every_path(logs[0], model, [0, 2, 1]).item(), abs=1e-4)
    assert total[1].item() == pytest.approx(every_path(logs[1, :3], model, [1]).item(), abs=1e-4)


def test_gradient_is_that_of_the_counted_paths() -> None:
    model, chain = small_model(), [0, 2]
    logs = logs_of(1, 4).requires_grad_()
    mmi_loss(logs, torch.tensor([4]), anywhere([chain]), model).backward()
    found = logs.grad
    counted = logs.detach().clone().requires_grad_()
    value = (every_path(counted[0], model) - every_path(counted[0], model, chain)) / 4
    value.backward()
    assert found is not None
    assert counted.grad is not None
    assert torch.allclose(found, counted.grad, atol=1e-5)


def test_a_window_forbids_what_lies_outside_it() -> None:
    logs, steps, model = logs_of(1, 4), torch.tensor([4]), small_model()
    chains = anywhere([[0, 2]])
    narrow = chains._replace(first=torch.tensor([[0, 2]]), last=torch.tensor([[1, 3]]))
    total, posteriors = numerator(logs, steps, narrow, model)
    only = (
        logs[0, [0, 1, 2, 3], [0, 0, 2, 2]].sum()
        + (model.start[0, 0] * model.stay[0] * model.moves[0, 0, 2] * model.stay[2]).log()
    )
    assert total[0].item() == pytest.approx(only.item(), abs=1e-4)
    assert torch.allclose(posteriors[0].argmax(dim=1), torch.tensor([0, 0, 2, 2]))


def test_examples_without_a_chain_or_a_path_do_not_count() -> None:
    logs, steps, model = logs_of(3, 4).requires_grad_(), torch.tensor([4, 4, 2]), small_model()
    chains = anywhere([[0, 2], [0], [0, 1, 2]])  # three phones do not fit in two emissions
    chains = chains._replace(lengths=torch.tensor([2, 0, 3]))
    loss = mmi_loss(logs, steps, chains, model)
    alone = mmi_loss(logs[:1], steps[:1], anywhere([[0, 2]]), model)
    assert loss.item() == pytest.approx(alone.item(), abs=1e-5)
    loss.backward()
    assert logs.grad is not None
    assert logs.grad[1:].abs().sum() == 0


def test_chains_are_runs_and_a_model_of_them_prefers_what_it_saw() -> None:
    frames = np.repeat(np.array([0, 5, 7, 0], np.int8), [8, 10, 4, 8])
    phones, edges = runs(frames)
    assert phones.tolist() == [0, 5, 7, 0]
    assert edges.tolist() == [0, 8, 18, 22, 30]
    model = PhoneModel.estimate([frames] * 50, 4)
    assert model.moves[5, 0].argmax() == 7
    assert model.stay[5] == pytest.approx(0.6)
    assert torch.allclose(model.moves.sum(dim=2) + model.stay[:, None], torch.ones(40, 40))


def test_a_chain_begins_and_ends_silent_and_allows_for_the_delay() -> None:
    frames = np.repeat(np.array([5, 7], np.int8), [12, 8])
    chain = make_chain(frames, emissions=10, frames_per_emission=4, delay=8.0)
    assert chain.phones.tolist() == [0, 5, 7, 0]
    assert chain.first.tolist() == [0, 0, 3, 5]
    assert chain.last.tolist() == [4, 7, 9, 10]
    joined = join_chains([None, chain])
    assert joined.lengths.tolist() == [0, 4]
    assert joined.phones[1].tolist() == [0, 5, 7, 0]
