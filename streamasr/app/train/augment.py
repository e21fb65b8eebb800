"""Augmentation: speed, rooms, noise, gain and codecs on samples; masks on features.

Every function takes its generator, so an example of an epoch is the same whenever and
wherever it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import add_noise, load_noises, loop_to, read_clip
from streamasr.app.rooms import add_room, load_rooms
from streamasr.app.train.codecs import through_codec
from streamasr.app.train.config import AugmentConfig
from streamasr.app.train.nonspeech import babble, clatter, coloured_noise, music
from streamasr.core.features import SAMPLE_RATE
from streamasr.errors import ConfigError

Floats = NDArray[np.float32]
VOICES = 150
"""Recordings that babble is made of."""


def change_speed(samples: Floats, factor: float) -> Floats:
    """Play faster (factor above 1) or slower; pitch moves along."""
    return np.asarray(soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE), np.float32)


@dataclass(slots=True)
class Augmenter:
    """Applies one random chain to an example."""

    config: AugmentConfig
    noises: list[Floats]
    rooms: list[Floats]
    voices: list[Floats] = field(default_factory=list)
    """What babble is made of."""

    @classmethod
    def load(cls, config: AugmentConfig, data: Path) -> Augmenter:
        noises = load_noises(data / config.noise) if config.noise else []
        rooms = load_rooms(data / config.rooms, 0.0, config.max_rt60_s) if config.rooms else []
        return cls(config, noises, rooms, _voices(config, data))

    def __call__(self, samples: Floats, rng: np.random.Generator) -> tuple[Floats, float]:
        """Return the altered samples and the speed factor that was applied."""
        config = self.config
        factor = float(rng.uniform(1.0 - config.speed, 1.0 + config.speed))
        samples = change_speed(samples, factor)
        if self.rooms and rng.random() < config.room_probability:
            samples = add_room(samples, self.rooms[int(rng.integers(len(self.rooms)))])
        if self.noises and rng.random() < config.noise_probability:
            noise = self._noise(len(samples), rng)
            samples = add_noise(samples, noise, float(rng.uniform(*config.snr_db)))
        gain = 10.0 ** (float(rng.uniform(*config.gain_db)) / 20.0)
        samples = np.clip(samples * np.float32(gain), -1.0, 1.0)
        if rng.random() < config.codec_probability:
            samples = through_codec(samples, rng)
        return samples, factor

    def _noise(self, count: int, rng: np.random.Generator) -> Floats:
        """So many samples to mix under speech."""
        config, kind = self.config, rng.random()
        if kind < config.clatter_share:
            return clatter(count, rng)
        if kind < config.clatter_share + config.babble_share:
            return babble(self.voices, count, rng)
        return loop_to(self.noises[int(rng.integers(len(self.noises)))], count, rng)

    def silence(self, count: int, rng: np.random.Generator) -> Floats:
        """So many samples in which nobody speaks, at any level."""
        kind = rng.random()
        if self.noises and kind < 0.5:
            sound = loop_to(self.noises[int(rng.integers(len(self.noises)))], count, rng)
            sound = sound / max(float(np.abs(sound).max()), 1e-9)
        else:
            sound = music(count, rng) if kind < 0.8 else coloured_noise(count, rng)
        level = 10.0 ** (rng.uniform(-50.0, 0.0) / 20.0)
        return np.asarray(sound * np.float32(level), np.float32)


def _voices(config: AugmentConfig, data: Path) -> list[Floats]:
    if not config.babble_share:
        return []
    if not config.voices:
        raise ConfigError(
            "augment.babble_share needs speech to make babble of", remedy="augment.voices, a corpus"
        )
    spoken = [u for u in read_manifest(data / config.voices) if u.split not in ("dev", "test")]
    return [read_clip(u.path) for u in spoken[:: max(1, len(spoken) // VOICES)]]


def mask_frames(
    frames: Tensor, lengths: Tensor, config: AugmentConfig, strength: float, seed: int
) -> Tensor:
    """SpecAugment (Park et al. 2019): zero bands and spans of time; zero is the mean.

    frames [batch, time, mels], lengths [batch] in frames; ``strength`` 0..1 scales widths.
    """
    rng = np.random.default_rng(seed)
    batch, time, mels = frames.shape
    keep = np.ones((batch, time, mels), bool)
    for row in range(batch):
        length = int(lengths[row])
        for _ in range(config.band_masks):
            width = int(rng.integers(0, max(1, round(config.band_mask_width * strength)) + 1))
            low = int(rng.integers(0, mels - width + 1))
            keep[row, :, low : low + width] = False
        # Short examples lose no larger share of their time than long ones.
        for _ in range(round(config.time_masks * min(1.0, length / 600))):
            width = int(rng.integers(0, max(1, round(config.time_mask_frames * strength)) + 1))
            start = int(rng.integers(0, max(1, length - width)))
            keep[row, start : start + width] = False
    return frames * torch.from_numpy(keep).to(frames.device)
