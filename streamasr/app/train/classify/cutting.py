"""Where in a recording its word is: the window that a classifier looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.mixing import read_clip

Floats = NDArray[np.float32]

LOUDNESS_STEP = 160
"""Samples between the windows that are tried for the loudest."""


def loudest(samples: Floats, count: int) -> int:
    """Where the window of ``count`` samples begins that holds most of the energy.

    Negative where the samples are fewer: they then lie in the middle of it.
    """
    if len(samples) <= count:
        return (len(samples) - count) // 2
    sums = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, len(samples) - count + 1, LOUDNESS_STEP)
    return int(starts[int(np.argmax(sums[starts + count] - sums[starts]))])


def cut(samples: Floats, start: int, count: int) -> Floats:
    """``count`` samples from ``start`` on, with zeros where there are none."""
    window = np.zeros(count, np.float32)
    low, high = max(0, start), min(len(samples), start + count)
    if low < high:
        window[low - start : high - start] = samples[low:high]
    return window


def read_window(path: Path, count: int) -> Floats:
    """The window of a recording that a classifier looks at; see `loudest`."""
    samples = read_clip(path)
    return cut(samples, loudest(samples, count), count)
