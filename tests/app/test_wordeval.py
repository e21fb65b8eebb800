from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from streamasr.app.cli import run
from streamasr.app.manifest import read_manifest
from streamasr.app.train.classify.run import RESULTS_FILE
from streamasr.app.wordeval import measure_words
from streamasr.edge.words import WordClassifier, load_words
from streamasr.errors import UsageError
from tests.conftest import DATA, noise


def test_a_bundle_gets_right_what_the_run_got_right(word_bundle: Path, run_folder: Path) -> None:
    utterances = [u for u in read_manifest(DATA / "words") if u.split == "test"]
    done: list[int] = []
    found = measure_words(
        WordClassifier(load_words(word_bundle)), utterances, on_progress=done.append
    )
    results = json.loads((run_folder / RESULTS_FILE).read_text())
    assert found.figures()["confusion"] == results["test"]["confusion"]
    assert done == [6]


def test_other_texts_are_no_word(word_bundle: Path, word_data: Path) -> None:
    found = measure_words(
        WordClassifier(load_words(word_bundle)), read_manifest(word_data / "books")
    )
    assert found.counts[3].sum() == found.counts.sum() == 3


def test_nothing_to_measure_is_told(word_bundle: Path) -> None:
    with pytest.raises(UsageError, match="no recording is of a word"):
        measure_words(WordClassifier(load_words(word_bundle)), [])


def test_the_verb_measures_words(word_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(["eval", str(DATA / "words"), "--split", "test", "--model", str(word_bundle)])
    assert not leaving.value.code
    *table, last = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["WORD", "RECORDINGS", "PRECISION", "RECALL"]
    summary = json.loads(last)
    assert (summary["model"], summary["examples"]) == ("three", 6)
    with pytest.raises(SystemExit) as leaving:
        run(["eval", str(DATA / "words"), "--model", str(word_bundle), "--out", "x.jsonl"])
    assert leaving.value.code == 2
    assert "a word classifier has no --align" in capsys.readouterr().err


def test_words_are_measured_in_noise(
    word_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "hiss.wav", noise(16_000, seed=1), 16_000)
    found = []
    for level in (60, -20):
        with pytest.raises(SystemExit) as leaving:
            run([
                "eval", str(DATA / "words"), "--split", "test", "--model", str(word_bundle),
                "--snr", str(level), "--noise", str(tmp_path),
            ])  # fmt: skip
        assert not leaving.value.code
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert [summary["surroundings"] for summary in found] == ["_snr60", "_snr-20"]
    assert found[0]["accuracy"] > found[1]["accuracy"]
