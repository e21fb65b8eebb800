from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.train.augment import Augmenter
from streamasr.app.train.classify.cutting import read_window
from streamasr.app.train.classify.examples import Example, gather
from streamasr.app.train.classify.windows import WindowSource
from streamasr.core.features import log_mel
from tests.words import tiny


def source(folder: Path, **train: int) -> WindowSource:
    recipe = tiny()
    recipe = replace(recipe, train=replace(recipe.train, **train))
    return WindowSource(recipe, Augmenter(recipe.augment, [], []), folder)


def test_plain_windows_are_the_recordings(word_data: Path, tmp_path: Path) -> None:
    examples = gather(tiny().data, word_data, silence=0, seed=1).train[:3]
    frames = source(tmp_path).plain(examples)
    assert frames.shape == (3, 100, 40)
    for row, example in zip(frames, examples, strict=True):
        assert example.utterance is not None
        samples = read_window(example.utterance.path, 16_240).clip(-1.0, 1.0)
        samples = (samples * 32767.0).astype(np.int16).astype(np.float32) / np.float32(32768.0)
        assert row == pytest.approx(log_mel(samples[240:], 40, samples[:240]), abs=0.02)


def test_augmented_windows_differ_and_are_wider(word_data: Path, tmp_path: Path) -> None:
    examples = gather(tiny().data, word_data, silence=0, seed=1).train[:3]
    frames = source(tmp_path, copies=2).augmented([*examples, Example(None, 1)])
    assert frames.shape == (2, 4, 120, 40)
    assert np.isfinite(frames).all()
    assert np.abs(frames[0] - frames[1]).mean(axis=(1, 2)).min() > 0.1


def test_what_was_computed_is_read_again(word_data: Path, tmp_path: Path) -> None:
    examples = gather(tiny().data, word_data, silence=0, seed=1).train[:2]
    first = source(tmp_path).plain(examples)
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert (source(tmp_path).plain(examples) == first).all()
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == stamps
