"""Log-mel: NumPy in the open against torchaudio, and against itself in pieces."""

import numpy as np
import pytest
import torch
import torchaudio

from streamasr.core.features import (
    FFT_SIZE,
    HIGH_HZ,
    HOP,
    LOW_HZ,
    POWER_FLOOR,
    SAMPLE_RATE,
    WINDOW,
    dft_matrix,
    folded_dft,
    log_mel,
    mel_matrix,
    used_bins,
)
from tests.conftest import noise


@pytest.mark.parametrize("mels", [40, 80])
def test_mel_matrix_equals_torchaudio(mels: int) -> None:
    theirs = torchaudio.functional.melscale_fbanks(
        FFT_SIZE // 2 + 1, LOW_HZ, HIGH_HZ, mels, SAMPLE_RATE
    )
    np.testing.assert_allclose(mel_matrix(mels), theirs.numpy(), atol=2e-5)


def test_every_band_hears_something() -> None:
    assert mel_matrix(80).any(axis=0).all()


def test_frames_equal_torchaudios_spectrogram() -> None:
    samples = noise(HOP * 50, seed=3)
    spectrogram = torchaudio.transforms.Spectrogram(
        n_fft=FFT_SIZE, win_length=WINDOW, hop_length=HOP, center=False, power=2.0
    )
    # torchaudio centres the window in the FFT: shift by half the difference, zeros around.
    lead = WINDOW - HOP + (FFT_SIZE - WINDOW) // 2
    padded = np.pad(samples, (lead, (FFT_SIZE - WINDOW) // 2))
    power = spectrogram(torch.from_numpy(padded)).numpy().T
    expected = np.log(power @ mel_matrix(80) + POWER_FLOOR)
    np.testing.assert_allclose(log_mel(samples), expected[:50], rtol=1e-3, atol=1e-3)


def test_matrix_product_equals_the_fourier_transform() -> None:
    window = noise(WINDOW, seed=4)
    product = window @ dft_matrix(80)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft(window * hann, FFT_SIZE)[used_bins(80)]
    expected = np.concatenate([spectrum.real, -spectrum.imag])
    np.testing.assert_allclose(product, expected, atol=1e-4)


@pytest.mark.parametrize("mels", [40, 80])
def test_a_folded_window_has_the_same_power(mels: int) -> None:
    window = noise(WINDOW, seed=4)
    real, imaginary = np.split(window @ dft_matrix(mels), 2)
    cosines, sines = folded_dft(mels)
    middle = WINDOW // 2
    after, before = window[middle:], window[middle:0:-1]
    folded = ((after + before) @ cosines) ** 2 + ((after - before) @ sines) ** 2
    np.testing.assert_allclose(folded, real**2 + imaginary**2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_cutting_the_audio_changes_nothing(seed: int) -> None:
    samples = noise(HOP * 40, seed=seed)
    cut = HOP * int(np.random.default_rng(seed).integers(3, 37))
    first = log_mel(samples[:cut])
    second = log_mel(samples[cut:], carry=samples[cut - (WINDOW - HOP) : cut])
    np.testing.assert_array_equal(np.concatenate([first, second]), log_mel(samples))


def test_a_tone_lights_its_own_band() -> None:
    time = np.arange(HOP * 20) / SAMPLE_RATE
    frames = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    centres = np.argmax(mel_matrix(80), axis=0) * SAMPLE_RATE / FFT_SIZE
    assert abs(centres[frames[-1].argmax()] - 1000) < 40


def test_silence_sits_on_the_floor() -> None:
    frames = log_mel(np.zeros(HOP * 3, np.float32))
    np.testing.assert_allclose(frames, np.log(POWER_FLOOR), rtol=1e-6)
