"""The laws of the network: cuts, causality, and streams that cannot touch each other."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from streamasr.core.features import log_mel
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel, Emissions
from streamasr.errors import ConfigError
from tests.conftest import noise

CONFIG = ModelConfig(mels=40, conv_channels=8, width=32, layers=3, units=12, phones=7)
STEP = CONFIG.step_samples


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    torch.manual_seed(0)
    return AcousticModel(CONFIG).eval()


def run(model: AcousticModel, samples: Tensor, cuts: list[int]) -> Emissions:
    """Stream samples [batch, steps · STEP] cut after the given steps."""
    state, units, phones = None, [], []
    edges = [0, *cuts, samples.shape[1] // STEP]
    with torch.no_grad():
        for start, end in pairwise(edges):
            found = model(samples[:, start * STEP : end * STEP], state)
            state = found.state
            units.append(found.units)
            phones.append(found.phones)
    return Emissions(torch.cat(units, 1), torch.cat(phones, 1), state)


@pytest.mark.parametrize("seed", range(20))
def test_cutting_the_input_changes_nothing(model: AcousticModel, seed: int) -> None:
    samples = torch.from_numpy(noise(STEP * 12, seed=seed)[None])
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.choice(np.arange(1, 12), size=4, replace=False).tolist())
    whole, parts = run(model, samples, []), run(model, samples, cuts)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_later_audio_never_changes_earlier_output(model: AcousticModel, seed: int) -> None:
    samples = torch.from_numpy(noise(STEP * 10, seed=seed)[None])
    changed = samples.clone()
    changed[:, STEP * 6 :] = torch.from_numpy(noise(STEP * 4, seed=seed + 100))
    before, after = run(model, samples, []).units, run(model, changed, []).units
    seen = 6 * CONFIG.outputs_per_step
    torch.testing.assert_close(before[:, :seen], after[:, :seen], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before[:, seen:], after[:, seen:])


@pytest.mark.parametrize("seed", range(5))
def test_stacked_streams_equal_each_alone(model: AcousticModel, seed: int) -> None:
    samples = torch.from_numpy(np.stack([noise(STEP * 5, seed=seed * 7 + i) for i in range(4)]))
    together = run(model, samples, [2])
    for row in range(4):
        alone = run(model, samples[row : row + 1], [2])
        torch.testing.assert_close(together.units[row], alone.units[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.state[row], alone.state[0], atol=1e-4, rtol=1e-4)


def test_its_features_equal_the_numpy_twin(model: AcousticModel) -> None:
    samples = noise(STEP * 4, seed=9)
    padded = torch.from_numpy(np.concatenate([np.zeros(240, np.float32), samples])[None])
    found = model.log_mel(padded)[0].numpy()
    np.testing.assert_allclose(found, log_mel(samples, CONFIG.mels), atol=2e-3)


def test_emissions_are_log_probabilities(model: AcousticModel) -> None:
    found = run(model, torch.from_numpy(noise(STEP * 3, seed=1)[None]), [])
    assert found.units.shape == (1, 6, 12)
    assert found.phones is not None
    assert found.phones.shape == (1, 6, 7)
    torch.testing.assert_close(found.units.exp().sum(2), torch.ones(1, 6))


def test_a_network_without_phones_has_no_phone_head() -> None:
    config = ModelConfig(mels=40, conv_channels=8, width=16, layers=1, units=4)
    found = AcousticModel(config)(torch.zeros(1, config.step_samples))
    assert found.phones is None


def test_the_hook_sees_and_replaces_the_features(model: AcousticModel) -> None:
    seen = []

    def silence(frames: Tensor) -> Tensor:
        seen.append(frames.shape)
        return torch.zeros_like(frames)

    samples = torch.from_numpy(noise(STEP * 2, seed=2)[None])
    with torch.no_grad():
        masked = model(samples, on_frames=silence).units
        plain = model(samples).units
    assert seen == [torch.Size([1, 16, 40])]
    assert not torch.allclose(masked, plain)


def test_a_speller_hears_nothing_but_the_phones() -> None:
    torch.manual_seed(5)
    config = ModelConfig(
        mels=40, conv_channels=8, width=16, layers=2, units=4, phones=5, speller_layers=2,
        speller_width=12, dropout=0.0,
    )  # fmt: skip
    model = AcousticModel(config)
    samples = torch.randn(2, 3 * config.step_samples)
    heard = model(samples)
    spelt = model.speller(heard.phones.exp())
    assert spelt.shape == (2, 3, 4)
    torch.testing.assert_close(spelt, heard.units)
    torch.testing.assert_close(model.phones(samples), heard.phones)
    torch.testing.assert_close(heard.units.exp().sum(dim=2), torch.ones(2, 3))


def test_what_the_speller_makes_of_speech_teaches_the_listener() -> None:
    config = ModelConfig(
        mels=40, conv_channels=8, width=16, layers=1, units=4, phones=5, speller_layers=1,
        speller_width=12,
    )  # fmt: skip
    model = AcousticModel(config)
    model(torch.randn(1, 2 * config.step_samples)).units[..., 1].sum().backward()
    assert model.project.weight.grad.abs().sum() > 0


def test_a_speller_without_phones_is_refused() -> None:
    with pytest.raises(ConfigError, match="speller_layers"):
        AcousticModel(ModelConfig(mels=40, width=16, layers=1, speller_layers=1))
