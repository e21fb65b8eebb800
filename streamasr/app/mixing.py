"""Whole clips as arrays, and noise mixed into them: for training and for measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE
from streamasr.errors import AudioFormatError, ConfigError

Floats = NDArray[np.float32]
_AUDIO_SUFFIXES = {".wav", ".opus", ".ogg", ".flac"}


def read_clip(path: Path) -> Floats:
    """Decode a whole file to 16 kHz mono in -1..1; raises AudioFormatError naming it."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioFormatError(f"cannot read {path}: {error}") from None
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    return np.asarray(mono, np.float32)


def noise_files(folder: Path) -> list[Path]:
    """Every recording below a folder, impulse responses (a folder "rir") left out."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in _AUDIO_SUFFIXES)
    files = [p for p in files if "rir" not in p.parts]
    if not files:
        raise ConfigError(f"no noise recordings below {folder}")
    return files


def load_noises(folder: Path) -> list[Floats]:
    """Read every recording that `noise_files` finds."""
    return [read_clip(p) for p in noise_files(folder)]


def loop_to(noise: Floats, length: int, rng: np.random.Generator) -> Floats:
    """Cut ``length`` samples at a random place, repeating the noise where it is short."""
    start = int(rng.integers(len(noise)))
    return np.take(noise, np.arange(start, start + length), mode="wrap")


def add_noise(samples: Floats, noise: Floats, snr_db: float) -> Floats:
    """Add noise of the same length so that speech power over noise power is ``snr_db``."""
    speech_power = float(np.mean(samples**2)) + 1e-10
    noise_power = float(np.mean(noise**2)) + 1e-10
    scale = np.sqrt(speech_power / noise_power / 10.0 ** (snr_db / 10.0))
    return samples + np.float32(scale) * noise
