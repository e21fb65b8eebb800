"""A network of random weights, taught half a minute of speech: what changes, and when it stops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from streamasr.app.finetune.gathering import Speech
from streamasr.app.finetune.running import Share, prepare
from streamasr.app.train.adapt import Adaptation, Adapted, adapt
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import load
from streamasr.edge.engines.torch import load_network

QUICK = Adaptation(rounds=2, warmup_updates=1, batch_s=12.0)


@pytest.fixture
def shares(
    speech: Speech, small_bundle: Path, tmp_path: Path, all_fits: None
) -> tuple[Share, Share]:
    work = tmp_path / "work"
    work.mkdir()
    return prepare(load(small_bundle), speech, work)


def changed(model: AcousticModel, bundle: Path) -> set[str]:
    """The first parts of the names of weights that differ from the bundle's."""
    before = load_network(load(bundle)).state_dict()
    after = model.state_dict()
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_what_listens_is_taught_and_the_loss_falls(
    shares: tuple[Share, Share], small_bundle: Path
) -> None:
    practice, held = shares
    assert (len(practice.corpus), len(held.corpus)) == (5, 1)
    assert all(alignment is not None for alignment in practice.corpus.alignments)
    told: list[tuple[int, float]] = []
    adapted = adapt(
        load(small_bundle),
        practice.corpus,
        held.corpus,
        options=QUICK,
        on_round=lambda number, loss: told.append((number, loss)),
    )
    assert told == list(enumerate(adapted.held))[1:]
    assert adapted.best > 0
    assert adapted.held[adapted.best] < adapted.held[0] - 0.02
    assert not adapted.model.training
    assert changed(adapted.model, small_bundle) == {
        "project", "norms", "lstms", "phone_norm", "phone_head",
    }  # fmt: skip


def test_the_same_speech_makes_the_same_model(
    shares: tuple[Share, Share], small_bundle: Path
) -> None:
    def once() -> Adapted:
        one_round = Adaptation(rounds=1, warmup_updates=1)
        return adapt(load(small_bundle), shares[0].corpus, shares[1].corpus, options=one_round)

    first, second = once(), once()
    assert first.held == second.held
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name]), name


def test_what_makes_it_worse_is_stopped_and_not_kept(
    shares: tuple[Share, Share], small_bundle: Path
) -> None:
    wild = Adaptation(rounds=9, patience=2, learning_rate=100.0, warmup_updates=1)
    adapted = adapt(load(small_bundle), shares[0].corpus, shares[1].corpus, options=wild)
    assert adapted.best == 0
    assert len(adapted.held) == 3, "before, and two rounds"
    assert changed(adapted.model, small_bundle) == set()
