"""Music without words, made from arithmetic: chords, a tune, a bass and drums.

    samples = compose(np.random.default_rng(1), seconds=30.0)

Not meant to please: it has what fools a speech detector, namely harmonics that glide and
tremble between 80 and 4000 Hz, onsets as often as syllables, and noise like fricatives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

Floats = NDArray[np.float32]
RATE = 16_000
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 0), (5, 3, 0, 4), (0, 2, 3, 4))


def compose(rng: np.random.Generator, *, seconds: float) -> Floats:
    """A piece of its own key, tempo and instruments: float32 at 16 kHz, RMS 0.1."""
    beat = 60.0 / rng.uniform(70, 150)
    scale = SCALES[str(rng.choice(list(SCALES)))]
    root = float(rng.uniform(45, 57))  # a MIDI note
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    timbres = [_timbre(rng) for _ in range(3)]
    parts = rng.random(4) < (0.8, 0.9, 0.7, 0.7)  # chords, tune, bass, drums
    parts[int(rng.integers(3))] = True
    out = np.zeros(round((seconds + 4) * RATE))
    step = 0
    for number in range(int(seconds / beat) + 1):
        at = number * beat
        degree = chords[number // 4 % len(chords)]
        if parts[0] and number % 4 == 0:
            for third in (0, 2, 4):
                pitch = _pitch(root + 12, scale, degree + third)
                _add(out, at, 0.25 * _note(rng, pitch, 4 * beat, timbres[0]))
        if parts[2]:
            _add(out, at, 0.5 * _note(rng, _pitch(root - 12, scale, degree), beat, timbres[1]))
        if parts[1]:
            pieces = int(rng.choice((1, 1, 2, 3, 4)))
            for piece in range(pieces):
                step = int(np.clip(step + rng.integers(-2, 3), -4, 10))
                pitch = _pitch(root + 19, scale, step)
                tone = _note(rng, pitch, beat / pieces, timbres[2])
                _add(out, at + piece * beat / pieces, 0.5 * tone)
        if parts[3]:
            _beat(rng, out, at, beat, number)
    out = out[: round(seconds * RATE)]
    return np.asarray(0.1 * out / max(1e-9, float(np.sqrt(np.mean(out**2)))), np.float32)


def coloured(rng: np.random.Generator, *, seconds: float, slope: float, waver: float) -> Floats:
    """Noise whose power falls by f to the ``slope``, its level wandering by ``waver`` dB."""
    length = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    bins = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 30.0)
    noise = np.fft.irfft(spectrum * bins ** (-slope / 2), length)
    points = rng.standard_normal(int(seconds * 4) + 2) * waver
    level = 10 ** (np.interp(np.arange(length) / RATE * 4, np.arange(len(points)), points) / 20)
    noise *= level
    return np.asarray(0.1 * noise / np.sqrt(np.mean(noise**2)), np.float32)


def _pitch(root: float, scale: tuple[int, ...], degree: int) -> float:
    octave, place = divmod(degree, len(scale))
    return float(440.0 * 2 ** ((root + 12 * octave + scale[place] - 69) / 12))


def _timbre(rng: np.random.Generator) -> tuple[NDArray[np.float64], float, float, float]:
    """Strengths of the harmonics, attack and decay in seconds, depth of the vibrato."""
    harmonics = np.arange(1, 25) ** -rng.uniform(0.7, 2.0)
    harmonics *= 1 + 4 * np.exp(-(((np.arange(24) - rng.uniform(1, 12)) / 2) ** 2))  # a formant
    if rng.random() < 0.3:
        harmonics[1::2] *= 0.1  # like a clarinet
    return harmonics, rng.uniform(0.005, 0.12), rng.uniform(0.15, 1.5), rng.uniform(0, 0.012)


def _note(
    rng: np.random.Generator,
    hz: float,
    seconds: float,
    timbre: tuple[NDArray[np.float64], float, float, float],
) -> NDArray[np.float64]:
    harmonics, attack, decay, vibrato = timbre
    time = np.arange(round((seconds + 0.1) * RATE)) / RATE
    glide = vibrato * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time)
    phase = 2 * np.pi * hz * np.cumsum(1 + glide) / RATE
    count = min(len(harmonics), int(7500 / hz))
    strengths = harmonics[:count] / np.sqrt(np.sum(harmonics[:count] ** 2))
    tone = np.zeros(len(time))
    for number, strength in enumerate(strengths, start=1):
        tone += strength * np.sin(number * phase + rng.uniform(0, 6.28))
    envelope = np.minimum(1, time / attack) * np.exp(-time / decay)
    envelope *= np.clip((seconds + 0.1 - time) / 0.1, 0, 1)
    shaped: NDArray[np.float64] = tone * envelope
    return shaped


def _beat(
    rng: np.random.Generator, out: NDArray[np.float64], at: float, beat: float, number: int
) -> None:
    """Drum on one beat: a bass drum or a snare, and hats between."""
    time = np.arange(round(0.25 * RATE)) / RATE
    noise = rng.standard_normal(len(time))
    if number % 2 == 0:
        sweep = 2 * np.pi * np.cumsum(50 + 120 * np.exp(-time / 0.03)) / RATE
        _add(out, at, 1.2 * np.sin(sweep) * np.exp(-time / 0.09))
    else:
        _add(out, at, 0.7 * lfilter([1, -0.6], [1], noise) * np.exp(-time / 0.06))
    high = sosfilt(butter(2, 5000, "highpass", fs=RATE, output="sos"), noise)
    for half in (0.0, 0.5):
        _add(out, at + half * beat, 0.25 * high * np.exp(-time / 0.025))


def _add(out: NDArray[np.float64], at: float, sound: NDArray[np.float64]) -> None:
    start = round(at * RATE)
    room = len(out) - start
    if room > 0:
        out[start : start + len(sound)] += sound[:room]
