from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.mixing import add_noise, load_noises, loop_to, read_clip
from streamasr.errors import AudioFormatError, ConfigError
from tests.conftest import noise


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0])
def test_noise_is_added_at_the_ratio_that_was_asked(snr_db: float) -> None:
    speech, other = noise(16_000, seed=1), noise(16_000, seed=2)
    added = add_noise(speech, other, snr_db) - speech
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr_db, abs=0.01)


def test_short_noise_is_repeated() -> None:
    looped = loop_to(np.arange(5, dtype=np.float32), 12, np.random.default_rng(0))
    assert len(looped) == 12
    assert set(np.diff(looped).tolist()) <= {1.0, -4.0}


def test_clips_are_averaged_and_resampled(tmp_path: Path) -> None:
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, tone], axis=1), 8000, subtype="FLOAT")
    clip = read_clip(tmp_path / "a.wav")
    assert len(clip) == 16_000
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(clip[500:-500], expected[500:-500], atol=0.01)


def test_what_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("not audio")
    with pytest.raises(AudioFormatError, match=r"a\.wav"):
        read_clip(tmp_path / "a.wav")


def test_noises_leave_rooms_out(tmp_path: Path) -> None:
    (tmp_path / "rir").mkdir()
    soundfile.write(tmp_path / "fan.wav", noise(100, seed=1), 16_000)
    soundfile.write(tmp_path / "rir" / "hall.wav", noise(100, seed=2), 16_000)
    assert len(load_noises(tmp_path)) == 1
    with pytest.raises(ConfigError, match="no noise"):
        load_noises(tmp_path / "none")
