from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.mixing import read_clip
from streamasr.app.train.augment import Augmenter
from streamasr.app.train.classify.examples import Example, gather
from streamasr.app.train.classify.windows import WindowSource, cut, loudest, read_window
from streamasr.core.features import log_mel
from tests.words import tiny


def source(folder: Path, **train: int) -> WindowSource:
    recipe = tiny()
    recipe = replace(recipe, train=replace(recipe.train, **train))
    return WindowSource(recipe, Augmenter(recipe.augment, [], []), folder)


def test_the_loudest_window_is_cut() -> None:
    samples = np.full(50_000, 0.01, np.float32)
    samples[20_000:24_000] = 0.5
    assert 20_000 - 4_000 <= loudest(samples, 8_000) <= 20_000
    assert loudest(samples[:100], 300) == -100


def test_where_there_is_no_sound_are_zeros() -> None:
    samples = np.arange(1, 5, dtype=np.float32)
    assert cut(samples, -2, 8).tolist() == [0, 0, 1, 2, 3, 4, 0, 0]
    assert cut(samples, 3, 3).tolist() == [4, 0, 0]
    assert cut(samples, 9, 2).tolist() == [0, 0]


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


def test_a_short_recording_lies_in_the_middle(tmp_path: Path) -> None:
    import soundfile

    file = tmp_path / "beep.wav"
    soundfile.write(file, np.full(1_000, 0.5, np.float32), 16_000)
    window = read_window(file, 3_000)
    assert np.flatnonzero(window)[[0, -1]].tolist() == [1_000, 1_999]
    assert len(read_clip(file)) == 1_000
