"""Best CTC paths, against all paths of short sentences."""

import itertools

import pytest
import torch

from streamasr.app.train.paths import best_paths
from streamasr.core.units import BLANK


def collapse(path: tuple[int, ...]) -> list[int]:
    return [unit for unit, _ in itertools.groupby(path) if unit != BLANK]


def written(path: tuple[int, ...]) -> list[int]:
    """The units of a path at the first step of their runs."""
    return [u if not i or path[i - 1] != u else BLANK for i, u in enumerate(path)]


@pytest.mark.parametrize("seed", range(8))
def test_the_best_of_all_paths_is_found(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(5, 2, 4, generator=generator).log_softmax(2)
    sentences, steps = [[1, 1], [3, 2, 1]], [4, 5]
    lines = best_paths(
        log_probs,
        torch.tensor(steps),
        torch.tensor([u for s in sentences for u in s]),
        torch.tensor([2, 3]),
    )
    for row, (sentence, count) in enumerate(zip(sentences, steps, strict=True)):
        paths = [p for p in itertools.product(range(4), repeat=count) if collapse(p) == sentence]
        score = {p: sum(float(log_probs[i, row, u]) for i, u in enumerate(p)) for p in paths}
        best = max(paths, key=lambda p: score[p])
        assert lines.units[:count, row].tolist() == written(best)
        assert lines.known[:, row].tolist() == [step < count for step in range(5)]


def test_each_step_knows_the_unit_before_it() -> None:
    log_probs = torch.full((5, 1, 3), -9.0)
    for step, unit in enumerate((0, 2, 2, 0, 1)):
        log_probs[step, 0, unit] = 0.0
    lines = best_paths(log_probs, torch.tensor([5]), torch.tensor([2, 1]), torch.tensor([2]))
    assert lines.units[:, 0].tolist() == [0, 2, 0, 0, 1]
    assert lines.last[:, 0].tolist() == [0, 0, 2, 2, 2]


def test_a_sentence_that_cannot_fit_is_not_known() -> None:
    log_probs = torch.zeros(3, 2, 3).log_softmax(2)
    lines = best_paths(
        log_probs, torch.tensor([2, 3]), torch.tensor([1, 1, 2]), torch.tensor([2, 1])
    )
    assert not lines.known[:, 0].any()
    assert lines.known[:, 1].all()


def test_nothing_said_is_blank_throughout() -> None:
    lines = best_paths(
        torch.zeros(3, 2, 3).log_softmax(2), torch.tensor([3, 3]), torch.tensor([1]),
        torch.tensor([0, 1]),
    )  # fmt: skip
    assert lines.units[:, 0].tolist() == [BLANK] * 3
    assert lines.known.all()
