"""The whole road on a toy: train, be killed, resume, export, stream, same text."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamasr.app.evaluate import Task, decode_all, summarise
from streamasr.app.manifest import read_manifest
from streamasr.app.train import checkpoint
from streamasr.app.train.config import Recipe, parse_recipe
from streamasr.app.train.export import export
from streamasr.app.train.loop import Run
from streamasr.app.train.losses import Losses
from streamasr.core.options import StreamOptions
from streamasr.errors import ConfigError

TOY = parse_recipe(
    {
        "data": {"train": ["tones"], "dev": ["tones"]},
        "model": {
            "units": 16, "mels": 40, "conv_channels": 8, "width": 48, "layers": 2,
            "phone_layer": 1, "dropout": 0.0,
        },
        "augment": {"speed": 0.0, "time_masks": 0, "band_masks": 0},
        "train": {
            "epochs": 2, "decay_epochs": 1, "warmup_updates": 5, "learning_rate": 0.01,
            "batch_s": 12, "phone_epochs": 0, "workers": 0, "threads": 1, "bf16": False,
            "average": 1,
        },
    }
)  # fmt: skip


class Killed(Exception):
    pass


def weights(run: Run) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def test_a_killed_run_resumes_exactly(
    tone_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = Run.open(TOY, data=tone_corpus, out=tmp_path / "straight")
    straight.train()

    broken = Run.open(TOY, data=tone_corpus, out=tmp_path / "broken")
    update = Run._update

    def dying(run: Run, *args: Any) -> Losses:
        if run.progress.update == 3:
            checkpoint.save(run.out, run.model, run.optimiser, run.progress)
            raise Killed
        return update(run, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "_update", dying)
        with pytest.raises(Killed):
            broken.train()
    resumed = Run.open(TOY, data=tone_corpus, out=tmp_path / "broken")
    assert resumed.progress.batch == 3
    resumed.train()
    torch.testing.assert_close(weights(resumed), weights(straight), atol=0, rtol=0)
    rows = [json.loads(r) for r in (tmp_path / "broken/log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows] == [0, 1]
    assert rows[-1]["lr"] < rows[0]["lr"]


def test_a_run_can_begin_with_a_bundle(tone_corpus: Path, tmp_path: Path) -> None:
    first = Run.open(TOY, data=tone_corpus, out=tmp_path / "first")
    first.train()
    speech = [u.path for u in read_manifest(tone_corpus / "tones")][:4]
    export(tmp_path / "first", tmp_path / "model", audio=speech, quantised=False)
    recipe = replace(TOY, train=replace(TOY.train, start=str(tmp_path / "model")))
    second = Run.open(recipe, data=tone_corpus, out=tmp_path / "second")
    assert second.tokeniser.units == first.tokeniser.units
    torch.testing.assert_close(weights(second), weights(first), atol=2e-3, rtol=2e-3)
    other = replace(recipe, model=replace(recipe.model, width=32))
    with pytest.raises(ConfigError, match="is not the network of"):
        Run.open(other, data=tone_corpus, out=tmp_path / "third")


def test_training_stops_when_the_dev_error_does(tone_corpus: Path, tmp_path: Path) -> None:
    frozen = replace(TOY, train=replace(TOY.train, epochs=9, learning_rate=0.0, patience=1))
    progress = Run.open(frozen, data=tone_corpus, out=tmp_path).train()
    assert progress.epoch == 2


def test_an_unknown_device_is_named(tone_corpus: Path, tmp_path: Path) -> None:
    recipe = replace(TOY, train=replace(TOY.train, device="tpu"))
    with pytest.raises(ConfigError, match="tpu"):
        Run.open(recipe, data=tone_corpus, out=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_toy_learns_exports_and_streams_the_same_words(tone_corpus: Path, tmp_path: Path) -> None:
    recipe: Recipe = replace(TOY, train=replace(TOY.train, epochs=40, decay_epochs=10))
    run = Run.open(recipe, data=tone_corpus, out=tmp_path / "run")
    progress = run.train()
    assert progress.best_wer < 0.05
    utterances = [u for u in read_manifest(tone_corpus / "tones") if u.split == "dev"]
    agreement = export(tmp_path / "run", tmp_path / "tones", audio=[u.path for u in utterances])
    assert agreement.same_best > 0.97
    task = Task(tmp_path / "tones", device="cpu", options=StreamOptions(vad=False))
    results = list(decode_all(task, utterances))
    assert summarise(results, "tones")["wer"] < 0.05
    assert np.mean([r.compute_s for r in results]) < 5
