"""Recordings as telephones, messengers and archives hand them on: through a lossy codec.

The coders are libsndfile's. What comes out is as long as what went in and lies at the same
samples, so that alignments stay true.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE

Floats = NDArray[np.float32]

_MP3_DELAY = 1105
"""Samples that LAME's encoder and a decoder without gapless playback put in front:
576 of the encoder and 529 of the filter bank."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A coder of libsndfile; ``levels`` are its compression levels, 0 best, 1 smallest."""

    container: str
    coding: str
    rate: int = SAMPLE_RATE
    levels: tuple[float, float] | None = None
    constant_rate: bool = False

    def __call__(self, samples: Floats, rng: np.random.Generator) -> Floats:
        """Write samples at 16 kHz with a random level and read them again."""
        options: dict[str, float | str] = {}
        if self.levels is not None:
            options["compression_level"] = float(rng.uniform(*self.levels))
        if self.constant_rate:
            options["bitrate_mode"] = "CONSTANT"
        narrow = soxr.resample(samples, SAMPLE_RATE, self.rate)
        file = BytesIO()
        soundfile.write(
            file, narrow, self.rate, format=self.container, subtype=self.coding, **options
        )
        file.seek(0)
        heard, _ = soundfile.read(file, dtype="float32")
        if self.container == "MP3" and len(heard) > len(narrow):
            heard = heard[_MP3_DELAY:]
        heard = soxr.resample(heard, self.rate, SAMPLE_RATE)[: len(samples)]
        return np.pad(heard, (0, len(samples) - len(heard))).astype(np.float32)


CODECS = (
    # 70 down to 24 kbit/s: books read aloud, voice messages
    Codec("MP3", "MPEG_LAYER_III", levels=(0.6, 0.95), constant_rate=True),
    Codec("OGG", "VORBIS", levels=(0.8, 1.0)),
    # 20 down to 7 kbit/s
    Codec("OGG", "OPUS", levels=(0.95, 1.0)),
    # telephones
    Codec("WAV", "GSM610", rate=8_000),
    Codec("WAV", "ULAW", rate=8_000),
    Codec("WAV", "ALAW", rate=8_000),
)


def through_codec(samples: Floats, rng: np.random.Generator) -> Floats:
    """Send samples at 16 kHz through one codec of many; same length, same place in time."""
    return CODECS[int(rng.integers(len(CODECS)))](samples, rng)
