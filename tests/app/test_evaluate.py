"""Evaluation on clips whose outcome is known, and delays worked by hand."""

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from streamasr.app.evaluate import (
    Decoded,
    Task,
    decode,
    decode_all,
    emission_delays_ms,
    record_result,
    summarise,
    write_hypotheses,
)
from streamasr.app.manifest import Utterance, read_manifest
from streamasr.app.surroundings import Surroundings
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge.bundle import load
from streamasr.errors import UsageError
from tests.conftest import noise
from tests.fakes import ScriptedEngine, talk

UTTERANCE = Utterance("u", Path("u.wav"), 2.0, "s", "dev", "The cat sat.", "c")


def decoded(hypothesis: str, emitted: tuple[float, ...]) -> Decoded:
    return Decoded(UTTERANCE, "the cat sat", hypothesis, 0.02, emitted)


def test_delays_count_only_words_that_were_right() -> None:
    result = decoded("the bat sat", (0.5, 1.0, 1.6))
    assert emission_delays_ms(result, [0.4, 0.8, 1.5]) == pytest.approx([100.0, 100.0])


def test_delays_need_times_for_just_these_words() -> None:
    assert emission_delays_ms(decoded("the cat sat", (1.0, 2.0, 3.0)), [0.4, 0.8]) == []


def test_the_summary_adds_up() -> None:
    right = decoded("the cat sat", (1.0, 1.0, 1.0))
    wrong = decoded("the bat", (1.0, 1.0))
    found = summarise([right, wrong], "m", [100.0, 300.0])
    assert (found["substitutions"], found["deletions"], found["insertions"]) == (1, 1, 0)
    assert found["wer"] == pytest.approx(2 / 6, abs=1e-4)
    assert found["wer_low"] <= found["wer"] <= found["wer_high"]
    assert found["audio_s"] == 4.0
    assert found["rtf"] == 0.01
    assert found["emission_delay_ms_p50"] == 200.0
    assert summarise([right], "m")["emission_delay_ms_p50"] is None


def test_words_are_stamped_when_they_are_complete() -> None:
    recognizer = Recognizer(ScriptedEngine())
    samples = talk(Random(3))
    text, emitted = decode(recognizer, samples, StreamOptions(vad=False))
    assert len(emitted) == len(text.split()) > 3
    assert emitted == sorted(emitted)
    assert 0 < emitted[0] < emitted[-1] <= len(samples) / 16_000


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_utterance_is_decoded_in_order(
    tiny_bundle: Path, tone_corpus: Path, jobs: int, tmp_path: Path
) -> None:
    utterances = read_manifest(tone_corpus / "tones")[:5]
    task = Task(tiny_bundle, device="cpu", options=StreamOptions(vad=False))
    results = list(decode_all(task, utterances, jobs=jobs))
    assert [r.utterance.id for r in results] == [u.id for u in utterances]
    alone = list(decode_all(task, utterances[3:4]))
    assert results[3].hypothesis == alone[0].hypothesis
    write_hypotheses(results, tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 5


def test_noise_changes_what_is_heard_the_same_way_each_time(
    tiny_bundle: Path, tone_corpus: Path
) -> None:
    utterances = read_manifest(tone_corpus / "tones")[:3]
    task = Task(tiny_bundle, device="cpu", options=StreamOptions(vad=False))
    noisy = replace(
        task, surroundings=Surroundings(snr_db=-5.0, noise=tone_corpus / "tones" / "audio")
    )
    plain = [r.hypothesis for r in decode_all(task, utterances)]
    first = [r.hypothesis for r in decode_all(noisy, utterances)]
    assert first == [r.hypothesis for r in decode_all(noisy, utterances)]
    assert first != plain


def test_a_room_changes_what_is_heard_the_same_way_each_time(
    tiny_bundle: Path, tone_corpus: Path, tmp_path: Path
) -> None:
    fading = noise(4000, seed=3) * np.exp(-np.arange(4000) / 800).astype(np.float32)
    soundfile.write(tmp_path / "hall.wav", fading, 16_000)
    (tmp_path / "manifest.tsv").write_text("path\trt60_s\nhall.wav\t0.4\nlost.wav\t0.8\n")
    utterances = read_manifest(tone_corpus / "tones")[:3]
    task = Task(tiny_bundle, device="cpu", options=StreamOptions(vad=False))
    inside = replace(task, surroundings=Surroundings(rt60_s=0.5, rooms=tmp_path))
    plain = [r.hypothesis for r in decode_all(task, utterances)]
    first = [r.hypothesis for r in decode_all(inside, utterances)]
    assert first == [r.hypothesis for r in decode_all(inside, utterances)]
    assert first != plain
    assert inside.condition("tones") == "tones_greedy_rt60_0.5"
    with pytest.raises(UsageError, match="--rooms"):
        Surroundings(rt60_s=0.5)


@pytest.mark.parametrize(
    ("snr_db", "noise", "named"), [(None, None, "cats_greedy"), (10.0, Path(), "cats_greedy_snr10")]
)
def test_a_condition_names_decoder_and_noise(
    tiny_bundle: Path, snr_db: float | None, noise: Path | None, named: str
) -> None:
    task = Task(tiny_bundle, surroundings=Surroundings(snr_db, noise))
    assert task.condition("cats") == named


def test_figures_are_kept_in_the_bundle_that_they_belong_to(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))
    summary = summarise([decoded("the cat sat", (1.0, 1.0, 1.0))], "tiny")
    record_result(model, "cats", summary)
    record_result(model, "cats_snr10", summary | {"wer": 0.5})
    results = load(model).info["results"]
    assert results["cats"]["wer"] == 0.0
    assert results["cats_snr10"]["wer"] == 0.5
    assert "emission_delay_ms_p50" not in results["cats"]
