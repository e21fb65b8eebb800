"""Log-mel features: the constants, the matrices, and a plain NumPy version.

The features are the first layers of the network (see ``network.py`` and the exported
graph); both take their matrices from here. `log_mel` computes the same numbers in
the open and serves as the oracle in the tests.

A frame is the 25 ms window that *ends* with its 10 ms hop: frame t covers samples
[t·HOP - (WINDOW - HOP), (t + 1)·HOP). Before the first sample lie zeros, so every
hop gives exactly one frame and no frame ever waits for the future.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE * 10 // 1000
FFT_SIZE = 512
LOW_HZ = 20.0
HIGH_HZ = 7600.0
POWER_FLOOR = 1e-6
"""Added to each band's power before the logarithm; full scale is 1.0."""

Floats = NDArray[np.float32]


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mel scale of O'Shaughnessy (1987), which HTK and Kaldi use."""
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def mel_matrix(mels: int) -> Floats:
    """Triangular filters, equally spaced in mel: [FFT_SIZE // 2 + 1, mels].

    Peaks are one; edges lie on neighbouring centres, interpolated in hertz.
    """
    low, high = _hz_to_mel(np.array([LOW_HZ, HIGH_HZ]))
    edges_hz = 700.0 * (10.0 ** (np.linspace(low, high, mels + 2) / 2595.0) - 1.0)
    bins_hz = np.linspace(0.0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1)[:, None]
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def used_bins(mels: int) -> slice:
    """The spectrum bins that any filter touches; the others need not be computed."""
    touched = np.flatnonzero(mel_matrix(mels).any(axis=1))
    return slice(int(touched[0]), int(touched[-1]) + 1)


def dft_matrix(mels: int) -> Floats:
    """Windowed DFT as a matrix [WINDOW, 2 · bins]: cosines, then sines.

    A periodic Hann window is folded in; only `used_bins` are kept.
    """
    n = np.arange(WINDOW)[:, None]
    k = np.arange(FFT_SIZE // 2 + 1)[None, used_bins(mels)]
    angle = 2.0 * np.pi * n * k / FFT_SIZE
    hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * n / WINDOW)).astype(np.float64)
    return np.concatenate([np.cos(angle) * hann, np.sin(angle) * hann], axis=1).astype(np.float32)


def folded_dft(mels: int) -> tuple[Floats, Floats]:
    """`dft_matrix` for windows folded about their middle, at half the products.

    The window is symmetric about sample 200, so its power spectrum is that of two halves:
    cosines [WINDOW // 2, bins] of x[200 + m] + x[200 - m] and sines of x[200 + m] - x[200 - m].
    """
    m = np.arange(WINDOW // 2)[:, None]
    k = np.arange(FFT_SIZE // 2 + 1)[None, used_bins(mels)]
    angle = 2.0 * np.pi * m * k / FFT_SIZE
    hann = 0.5 + 0.5 * np.cos(2.0 * np.pi * m / WINDOW)
    cosines = np.cos(angle) * hann
    cosines[0] /= 2.0  # the middle is its own mirror, and was added to itself
    return cosines.astype(np.float32), (np.sin(angle) * hann).astype(np.float32)


def log_mel(samples: Floats, mels: int = 80, carry: Floats | None = None) -> Floats:
    """Log-mel frames of whole hops: samples [hops · HOP] -> [hops, mels].

    ``carry`` is the last WINDOW - HOP samples before these; zeros when there are none.
    """
    if carry is None:
        carry = np.zeros(WINDOW - HOP, np.float32)
    padded = np.concatenate([carry, samples])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    n = np.arange(WINDOW)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / WINDOW)
    power = np.abs(np.fft.rfft(frames * hann, FFT_SIZE, axis=1)) ** 2
    log_power: Floats = np.log(power @ mel_matrix(mels) + POWER_FLOOR).astype(np.float32)
    return log_power
