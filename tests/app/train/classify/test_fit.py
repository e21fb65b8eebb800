from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from streamasr.app.train.classify.fit import Epoch, Part, batches, classify, fit, measure
from streamasr.app.train.classify.recipe import NETWORKS, WordRecipe
from tests.words import tiny

CLASSES = ("low", "high", "both")


def recipe(**train: float) -> WordRecipe:
    short = replace(tiny().window, window_s=0.3, shift_s=0.05, mels=20, coefficients=10)
    made = replace(tiny(), window=short)
    return replace(made, train=replace(made.train, **{"batch": 16, **train}))


def part(count: int, *, copies: int = 0, seed: int = 0) -> Part:
    """Features in which a class is a band, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    frames = rng.normal(0, 1, (max(1, copies), count, 40 if copies else 30, 20))
    frames[:, labels != 1, :, 3:7] += 2.0
    frames[:, labels != 0, :, 12:16] += 2.0
    return Part(frames.astype(np.float16) if copies else frames[0].astype(np.float16), labels)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_learns(kind: str) -> None:
    made = recipe(epochs=5)
    made = replace(made, network=replace(made.network, kind=kind, layers=1))
    fitted = fit(made, CLASSES, part(96, copies=2), part(30, seed=1))
    assert fitted.best is not None
    assert fitted.best.accuracy >= 0.9
    assert measure(fitted.network, CLASSES, part(30, seed=2)).accuracy >= 0.9


def test_it_stops_where_nothing_gets_better_and_keeps_the_best() -> None:
    seen: list[Epoch] = []
    held = part(30, seed=1)
    held.labels[:] = np.random.default_rng(0).integers(3, size=30)  # nothing to be learnt
    fitted = fit(recipe(epochs=40, patience=3), CLASSES, part(48, copies=2), held,
                 on_epoch=seen.append)  # fmt: skip
    assert fitted.best is not None
    assert len(seen) == fitted.best.number + 4 < 40
    assert fitted.epochs == seen
    again = float(torch.nn.functional.nll_loss(
        classify(fitted.network, held.frames), torch.from_numpy(held.labels)
    ))  # fmt: skip
    assert again == pytest.approx(fitted.best.held_loss, abs=1e-5)


def test_the_same_seed_gives_the_same_network() -> None:
    first, second = (
        fit(recipe(epochs=2), CLASSES, part(48, copies=2), part(9)).network.state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_never_holds_one_example_and_an_epoch_holds_all() -> None:
    learnt = part(48, copies=2)
    sizes = [len(labels) for _, labels in batches(recipe(), learnt, np.random.default_rng(0))]
    assert sizes == [16, 16, 16]
    frames, _ = next(batches(recipe(), learnt, np.random.default_rng(0)))
    assert frames.shape == (16, 30, 20)
    odd = Part(learnt.frames[:, :17], learnt.labels[:17])
    assert [len(labels) for _, labels in batches(recipe(), odd, np.random.default_rng(0))] == [16]


def test_whoever_watches_may_give_up() -> None:
    def give_up(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(recipe(epochs=9), CLASSES, part(48, copies=2), part(9), on_epoch=give_up)
