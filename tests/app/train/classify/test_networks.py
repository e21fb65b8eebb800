from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dct

from streamasr.app.train.classify.networks import Front, WordNetwork, cosines
from streamasr.app.train.classify.recipe import NETWORKS, NetworkConfig, WindowConfig
from streamasr.core.features import log_mel

WINDOW = WindowConfig(window_s=0.5)
SAMPLES = WINDOW.samples(WINDOW.frames)


def test_frames_are_those_of_the_recogniser() -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (1, SAMPLES)).astype(np.float32)
    expected = log_mel(samples[0, 240:], 40, samples[0, :240])
    found = Front(WINDOW)(torch.from_numpy(samples))[0].numpy()
    assert found == pytest.approx(expected, abs=2e-3)
    config = WindowConfig(features="mfcc", window_s=0.5, coefficients=13)
    turned = Front(config)(torch.from_numpy(samples))[0].numpy()
    assert turned == pytest.approx(dct(expected, norm="ortho")[:, :13], abs=5e-3)


def test_cosines_are_orthonormal() -> None:
    matrix = cosines(40, 40)
    assert torch.allclose(matrix.T @ matrix, torch.eye(40), atol=1e-5)


@pytest.mark.parametrize("features", ["log-mel", "mfcc"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_tells_classes_on_both_features(kind: str, features: str) -> None:
    torch.manual_seed(0)
    window = WindowConfig(features=features, window_s=0.5)
    network = WordNetwork(window, NetworkConfig(kind, width=16, layers=1), 5)
    scores = network(torch.randn(3, SAMPLES) * 0.1)
    assert scores.shape == (3, 5)
    assert torch.allclose(scores.exp().sum(dim=1), torch.ones(3))
    scores[:, 0].sum().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@pytest.mark.parametrize("kind", NETWORKS)
def test_windows_of_a_batch_do_not_see_each_other(kind: str) -> None:
    torch.manual_seed(0)
    network = WordNetwork(WINDOW, NetworkConfig(kind, width=16), 4).eval()
    samples = torch.randn(4, SAMPLES) * 0.1
    with torch.inference_mode():
        together, alone = network(samples), network(samples[2:3])
    assert torch.allclose(together[2], alone[0], atol=1e-5)
