"""Impulse responses of rooms, and speech in them: for training and for measuring."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.manifest import MANIFEST
from streamasr.app.mixing import read_clip
from streamasr.errors import ConfigError

Floats = NDArray[np.float32]


def add_room(samples: Floats, response: Floats) -> Floats:
    """Convolve with a response whose direct path is at its first sample; level is kept."""
    size = len(samples) + len(response) - 1
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    wet = np.fft.irfft(spectrum, size)[: len(samples)]
    level = np.sqrt((np.mean(samples**2) + 1e-10) / (np.mean(wet**2) + 1e-10))
    return np.asarray(wet * level, np.float32)


def load_rooms(folder: Path, least_s: float, most_s: float) -> list[Floats]:
    """Read the impulse responses whose RT60 lies between, cut so that the direct path comes first.

    ``folder`` has a manifest.tsv with ``path`` and ``rt60_s``; raises ConfigError where it has
    none, or no such room.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ConfigError(f"no {MANIFEST} with impulse responses in {folder}")
    responses = []
    with manifest.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not least_s <= float(row.get("rt60_s") or 0.0) <= most_s:
                continue
            response = read_clip(folder / row["path"])
            responses.append(response[int(np.argmax(np.abs(response))) :])
    if not responses:
        raise ConfigError(
            f"no impulse response in {folder} has an rt60_s of {least_s:g} to {most_s:g}"
        )
    return responses
