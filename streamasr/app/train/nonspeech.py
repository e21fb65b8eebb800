"""Sounds that are no speech to be written: coloured noise, simple music, the clatter of dishes,
and the talk of many at once; made on the spot.

A recogniser that has only ever heard speech hears words in everything. A few examples of
these in training teach it to stay silent; they are also mixed under speech.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE

Floats = NDArray[np.float32]
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
"""Semitones of a major scale."""


def coloured_noise(count: int, rng: np.random.Generator) -> Floats:
    """Noise whose power falls as 1 / f^a, a uniform in 0 (white) to 2 (brown); peak 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count), 1.0 / count)
    shaped = spectrum * frequency ** (-rng.uniform(0.0, 2.0) / 2.0)
    shaped[0] = 0.0
    return _peak(np.fft.irfft(shaped, count))


def music(count: int, rng: np.random.Generator) -> Floats:
    """Chords, a tune and beats at a random key, tempo and timbre; peak 1."""
    out = np.zeros(count)
    beat = int(SAMPLE_RATE * rng.uniform(0.12, 0.6))
    key = rng.uniform(55.0, 220.0)
    partials = rng.uniform(0.0, 1.0, 8) / np.arange(1, 9) ** rng.uniform(0.3, 2.0)
    decay = rng.uniform(1.0, 8.0)
    vibrato = rng.uniform(0.0, 0.01), rng.uniform(3.0, 7.0)
    has_beats = rng.random() < 0.6
    for number, start in enumerate(range(0, count, beat)):
        if number % 4 == 0:
            root = int(rng.integers(7))
            for step in (0, 2, 4):
                _note(out, start, 4 * beat, key * _pitch(root + step), partials, decay / 3, vibrato)
        if rng.random() < 0.7:
            pitch = 2 * key * _pitch(int(rng.integers(14)))
            _note(out, start, beat, pitch, partials, decay, vibrato)
        if has_beats and rng.random() < 0.8:
            length = min(beat, count - start)
            fall = np.exp(-np.arange(length) / SAMPLE_RATE * rng.uniform(15.0, 60.0))
            out[start : start + length] += rng.standard_normal(length) * fall
    return _peak(out)


def clatter(count: int, rng: np.random.Generator) -> Floats:
    """Dishes and cutlery that are knocked together, with pauses, in a room that hums; peak 1.

    A knock is a click and partials between 600 Hz and 7 kHz that fade, in no harmony.
    """
    out = 10.0 ** rng.uniform(-2.5, -1.0) * coloured_noise(count, rng).astype(np.float64)
    rate = rng.uniform(0.5, 6.0)
    at = rng.exponential(1.0 / rate)
    while (start := int(at * SAMPLE_RATE)) < count:
        fading = rng.uniform(8.0, 80.0)
        length = min(count - start, int(SAMPLE_RATE * 5.0 / fading))
        time = np.arange(length) / SAMPLE_RATE
        partials = rng.uniform(600.0, 7000.0, int(rng.integers(3, 9)))
        ring = sum(rng.random() * np.sin(2.0 * np.pi * (f * time + rng.random())) for f in partials)
        click = rng.standard_normal(length) * np.exp(-time * rng.uniform(200.0, 1500.0))
        loud = 10.0 ** rng.uniform(-1.5, 0.0)
        out[start : start + length] += loud * (ring * np.exp(-time * fading) + 3.0 * click)
        at += rng.exponential(1.0 / rate) * (0.1 if rng.random() < 0.3 else 1.2)
    return _peak(out)


def babble(voices: Sequence[Floats], count: int, rng: np.random.Generator) -> Floats:
    """Two to seven voices at once, near and far; peak 1."""
    out = np.zeros(count)
    for _ in range(int(rng.integers(2, 8))):
        voice = voices[int(rng.integers(len(voices)))]
        start = int(rng.integers(len(voice)))
        piece = np.take(voice, np.arange(start, start + count), mode="wrap")
        level = 10.0 ** (rng.uniform(-10.0, 0.0) / 20.0)
        out += level * piece / max(float(np.sqrt(np.mean(piece**2))), 1e-6)
    return _peak(out)


def _pitch(degree: int) -> float:
    octave, step = divmod(degree, len(SCALE))
    return float(2.0 ** (octave + SCALE[step] / 12.0))


def _note(
    out: NDArray[np.float64],
    start: int,
    length: int,
    pitch: float,
    partials: NDArray[np.float64],
    decay: float,
    vibrato: tuple[float, float],
) -> None:
    length = min(length, len(out) - start)
    time = np.arange(length) / SAMPLE_RATE
    depth, rate = vibrato
    phase = 2.0 * np.pi * pitch * (time + depth / rate * np.sin(2.0 * np.pi * rate * time) / 10)
    audible = int(min(len(partials), max(1, 0.45 * SAMPLE_RATE // pitch)))
    tone = sum(partials[k] * np.sin((k + 1) * phase) for k in range(audible))
    attack = np.minimum(time * 100.0, 1.0)
    out[start : start + length] += tone * attack * np.exp(-time * decay)


def _peak(samples: NDArray[np.float64]) -> Floats:
    top = np.abs(samples).max() if len(samples) else 0.0
    return np.asarray(samples / max(top, 1e-9), np.float32)
