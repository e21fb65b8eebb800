from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.app.train.augment import (
    Augmenter,
    change_speed,
    mask_frames,
)
from streamasr.app.train.config import AugmentConfig
from streamasr.errors import ConfigError
from tests.conftest import noise


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000).astype(np.float32)
    faster = change_speed(tone, factor)
    assert abs(len(faster) - 16_000 / factor) <= 1
    spectrum = np.abs(np.fft.rfft(faster))
    assert spectrum.argmax() * 16_000 / len(faster) == pytest.approx(500 * factor, rel=0.01)


def test_the_same_seed_makes_the_same_example() -> None:
    config = AugmentConfig(noise_probability=1.0, room_probability=1.0)
    augmenter = Augmenter(config, [noise(5000, seed=3)], [noise(50, seed=4)])
    speech = noise(16_000, seed=5)
    one, factor = augmenter(speech, np.random.default_rng(7))
    two, _ = augmenter(speech, np.random.default_rng(7))
    other, _ = augmenter(speech, np.random.default_rng(8))
    np.testing.assert_array_equal(one, two)
    assert len(one) != len(other) or not np.allclose(one, other)
    assert abs(len(one) - 16_000 / factor) <= 1
    assert np.abs(one).max() <= 1.0


def test_codecs_leave_the_length_and_take_detail() -> None:
    speech = noise(16_000, seed=5)
    plain, _ = Augmenter(AugmentConfig(), [], [])(speech, np.random.default_rng(7))
    coded, factor = Augmenter(AugmentConfig(codec_probability=1.0), [], [])(
        speech, np.random.default_rng(7)
    )
    assert len(coded) == len(plain)
    assert abs(len(coded) - 16_000 / factor) <= 1
    assert not np.allclose(coded, plain, atol=1e-3)


def test_masks_zero_bands_and_spans_and_grow_with_strength() -> None:
    frames = torch.ones(4, 600, 80)
    lengths = torch.tensor([600, 600, 300, 100])
    config = AugmentConfig()
    full = mask_frames(frames, lengths, config, 1.0, seed=1)
    slight = mask_frames(frames, lengths, config, 0.1, seed=1)
    assert 0.02 < (full == 0).float().mean() < 0.6
    assert (slight == 0).sum() < (full == 0).sum()
    assert torch.equal(full, mask_frames(frames, lengths, config, 1.0, seed=1))
    bands = (full[0] == 0).all(dim=0)
    spans = (full[0] == 0).all(dim=1)
    rest = full[0][~spans][:, ~bands]
    assert bool((rest == 1).all())


@pytest.mark.parametrize("kind", ["clatter", "babble"])
def test_noise_may_be_made_on_the_spot(kind: str) -> None:
    config = AugmentConfig(
        noise_probability=1.0, snr_db=(0.0, 0.0), gain_db=(-30.0, -30.0),
        clatter_share=float(kind == "clatter"), babble_share=float(kind == "babble"),
    )  # fmt: skip
    voices = [noise(20_000, seed=n) for n in range(3)]
    augmenter = Augmenter(config, [np.zeros(100, np.float32)], [], voices)
    speech = noise(16_000, seed=5)
    one, _ = augmenter(speech, np.random.default_rng(7))
    again, _ = augmenter(speech, np.random.default_rng(7))
    plain, _ = Augmenter(AugmentConfig(gain_db=(-30.0, -30.0)), [], [])(
        speech, np.random.default_rng(7)
    )
    np.testing.assert_array_equal(one, again)
    assert np.mean(one**2) == pytest.approx(2 * np.mean(plain**2), rel=0.2)


def test_babble_needs_voices(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voices"):
        Augmenter.load(AugmentConfig(babble_share=0.3), tmp_path)
