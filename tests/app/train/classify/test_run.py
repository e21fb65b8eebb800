from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from streamasr.app.train.classify.run import (
    BEST_FILE,
    HELD_OUT_FILE,
    LABELS_FILE,
    LOG_FILE,
    PICTURE_FILE,
    RECIPE_FILE,
    RESULTS_FILE,
    WordRun,
)
from streamasr.core.commands.words import OTHER
from tests.words import WORDS, tiny


def test_a_handful_of_recordings_teaches_three_words(run_folder: Path) -> None:
    results = json.loads((run_folder / RESULTS_FILE).read_text())
    assert results["network"] == "conv"
    assert set(results["test"]["classes"]) == {*WORDS, OTHER}
    assert results["test"]["examples"] == 6
    assert results["test"]["accuracy"] >= 0.5  # by chance: a quarter
    assert results["held_out"]["accuracy"] >= 0.5
    assert results["best_epoch"] <= results["epochs"] == 28


def test_a_run_leaves_everything_that_is_needed(run_folder: Path) -> None:
    names = {LABELS_FILE, RECIPE_FILE, BEST_FILE, PICTURE_FILE, LOG_FILE}
    assert names <= {file.name for file in run_folder.iterdir()}
    assert (run_folder / LABELS_FILE).read_text().split() == [*WORDS, OTHER]
    rows = [json.loads(line) for line in (run_folder / LOG_FILE).read_text().splitlines()]
    assert [row["number"] for row in rows] == list(range(28))
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]
    assert (run_folder / PICTURE_FILE).read_bytes().startswith(b"\x89PNG")
    held = (run_folder / HELD_OUT_FILE).read_text().split()
    assert len(held) == len(set(held)) > 0
    weights = load_file(run_folder / BEST_FILE)
    assert "mean" in weights


def test_folds_measure_every_recording_once(
    word_data: Path, word_cache: Path, tmp_path: Path
) -> None:
    recipe = tiny()
    recipe = replace(recipe, train=replace(recipe.train, epochs=2))
    results = WordRun(recipe, word_data, tmp_path, word_cache).fold(3)
    assert results["folds"]["examples"] == 24
    assert [row["examples"] for row in results["folds"]["classes"].values()] == [8, 8, 8]
    assert len(results["fold_accuracies"]) == 3
    assert json.loads((tmp_path / RESULTS_FILE).read_text()) == results
    assert not (tmp_path / BEST_FILE).exists()


def test_a_second_run_does_not_compute_the_windows_again(
    word_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tiny()
    recipe = replace(recipe, train=replace(recipe.train, epochs=1))
    with caplog.at_level("INFO", "streamasr"):
        for name in ("one", "two"):
            WordRun(recipe, word_data, tmp_path / name, tmp_path / "cache").train()
    assert sum("computing" in record.message for record in caplog.records) == 3
    first, second = (json.loads((tmp_path / n / RESULTS_FILE).read_text()) for n in ("one", "two"))
    assert first["test"] == second["test"]
