from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from streamasr.app.train.classify.cutting import cut, loudest, read_window


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


def test_a_short_recording_lies_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "beep.wav"
    soundfile.write(file, np.full(1_000, 0.5, np.float32), 16_000)
    window = read_window(file, 3_000)
    assert np.flatnonzero(window)[[0, -1]].tolist() == [1_000, 1_999]
