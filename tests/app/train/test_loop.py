"""The whole road on a toy: train, be killed, resume, export, stream, same text."""

import gzip
import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamasr.app.evaluate import Task, decode_all, summarise
from streamasr.app.manifest import read_manifest
from streamasr.app.text import normalise
from streamasr.app.train import checkpoint
from streamasr.app.train.config import Recipe, TextConfig, parse_recipe
from streamasr.app.train.export import export
from streamasr.app.train.loop import Run
from streamasr.app.train.losses import Losses
from streamasr.core.options import StreamOptions
from streamasr.edge.lm.lexicon import read_cmudict
from streamasr.errors import ConfigError
from tests.conftest import WORD_HZ

TOY = parse_recipe(
    {
        "data": {"train": ["tones"], "dev": ["tones"]},
        "model": {
            "units": 16, "mels": 40, "conv_channels": 8, "width": 48, "layers": 1,
            "dropout": 0.0,
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


SPEAKING = parse_recipe(
    {
        "data": {"train": ["tones"], "dev": ["tones"], "alignments": "align"},
        "model": {
            "units": 16, "mels": 40, "conv_channels": 4, "width": 16, "layers": 1,
            "speller_layers": 1, "speller_width": 24, "writer_width": 12, "dropout": 0.0,
        },
        "augment": {"speed": 0.0, "time_masks": 0, "band_masks": 0},
        "text": {"files": ["text.txt"], "share": 1.5},
        "train": {
            "epochs": 1, "decay_epochs": 1, "warmup_updates": 2, "learning_rate": 0.01,
            "batch_s": 12, "phone_epochs": 0, "workers": 0, "threads": 1, "bf16": False,
            "average": 1,
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def aligned_tones(tone_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones with an alignment that knows when each word was said, and text beside them."""
    data = tmp_path_factory.mktemp("aligned")
    (data / "tones").symlink_to(tone_corpus / "tones")
    (data / "text.txt").write_text("\n".join(" ".join(w) for w in permutations(WORD_HZ)))
    (data / "align").mkdir()
    lexicon = read_cmudict()
    with gzip.open(data / "align" / "tones.jsonl.gz", "wt") as lines:
        for utterance in read_manifest(tone_corpus / "tones"):
            words = normalise(utterance.text).split()
            phones: list[list[str | int]] = [["SIL", 0, 20]]
            for number, word in enumerate(words):
                said = lexicon[word][0]
                for place, phone in enumerate(said):
                    phones.append(
                        [phone, 20 + 40 * number + place * (30 // len(said)), 30 // len(said)]
                    )
                phones.append(["SIL", 50 + 40 * number, 10 + 30 % len(said)])
            spans = [[word, 20 + 40 * number, 30] for number, word in enumerate(words)]
            entry = {"id": utterance.id, "words": spans, "phones": phones}
            lines.write(json.dumps(entry) + "\n")
    return data


def test_the_speller_is_taught_alone_and_the_listener_stays(
    aligned_tones: Path, tmp_path: Path
) -> None:
    first = Run.open(SPEAKING, data=aligned_tones, out=tmp_path / "both")
    first.train()
    alone = replace(
        SPEAKING, train=replace(SPEAKING.train, only_speller=True, start=str(tmp_path / "both"))
    )
    second = Run.open(alone, data=aligned_tones, out=tmp_path / "speller")
    second.train()
    rows = [json.loads(r) for r in (tmp_path / "speller/log.jsonl").read_text().splitlines()]
    assert rows[0]["train_ctc"] > 0
    assert rows[0]["train_text"] > 0
    assert rows[0]["train_written"] > 0
    assert rows[0]["train_phone"] == 0
    before, after = first.model.state_dict(), second.model.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("speller.", "writer.")) for name in changed)
    assert any(name.startswith("writer.") for name in changed)


def test_a_speller_of_another_shape_begins_anew(aligned_tones: Path, tmp_path: Path) -> None:
    first = Run.open(SPEAKING, data=aligned_tones, out=tmp_path / "first")
    first.train()
    other = replace(
        SPEAKING,
        model=replace(SPEAKING.model, speller_layers=2),
        train=replace(SPEAKING.train, start=str(tmp_path / "first")),
    )
    second = Run.open(other, data=aligned_tones, out=tmp_path / "second")
    torch.testing.assert_close(second.model.project.weight, first.model.project.weight)
    assert len(second.model.speller.lstms) == 2


def test_a_speller_without_alignments_is_refused(tone_corpus: Path, tmp_path: Path) -> None:
    silent = replace(SPEAKING, text=TextConfig(), model=replace(SPEAKING.model, writer_width=0))
    with pytest.raises(ConfigError, match="no alignments"):
        Run.open(silent, data=tone_corpus, out=tmp_path)


def test_a_writer_that_nothing_would_teach_is_refused(aligned_tones: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="writer_width learns from"):
        Run.open(replace(SPEAKING, text=TextConfig()), data=aligned_tones, out=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_toy_learns_exports_and_streams_the_same_words(tone_corpus: Path, tmp_path: Path) -> None:
    recipe: Recipe = replace(TOY, train=replace(TOY.train, epochs=40, decay_epochs=10, patience=40))
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
