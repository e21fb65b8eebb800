"""Global feature statistics: one mean and deviation a band, over a sample of the data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from streamasr.app.train.examples import Corpus
from streamasr.core.features import HOP, log_mel

SAMPLED_UTTERANCES = 400


def measure_features(corpus: Corpus, mels: int, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [mels] of log-mel over random whole utterances."""
    rng = np.random.default_rng(seed)
    picks = rng.permutation(len(corpus))[:SAMPLED_UTTERANCES]
    frames = []
    for index in picks:
        samples = corpus.audio[int(index)].astype(np.float32) / np.float32(32768.0)
        frames.append(log_mel(samples[: len(samples) // HOP * HOP], mels))
    stacked = np.concatenate(frames).astype(np.float64)
    mean, deviation = stacked.mean(axis=0), stacked.std(axis=0)
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32)
