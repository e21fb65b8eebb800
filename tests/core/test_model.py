"""The shape of a model: latency, state, and settings that cannot be."""

from dataclasses import replace

import pytest

from streamasr.core.model import ModelConfig
from streamasr.errors import ConfigError


def test_algorithmic_latency_is_pinned() -> None:
    """A change that adds look-ahead or a longer step must come and edit this number."""
    assert ModelConfig().latency_ms == 105.0


def test_a_step_is_80_ms_and_emits_every_40() -> None:
    config = ModelConfig()
    assert config.step_samples == 1280
    assert config.outputs_per_step == 2


def test_state_size_is_the_sum_of_its_parts() -> None:
    config = ModelConfig(mels=40, conv_channels=8, width=16, layers=3)
    assert config.state_size == 240 + 40 + 8 * 20 + 2 * 3 * 16
    spelling = replace(config, phones=4, speller_layers=2, speller_width=24)
    assert spelling.state_size == config.state_size + 2 * 2 * 24


def test_state_of_a_stream_stays_far_below_its_budget() -> None:
    assert ModelConfig().state_size * 4 < 32 * 1024


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"layers": 0}, "layers"),
        ({"mels": 81}, "mels"),
        ({"units": 1}, "units"),
        ({"speller_layers": -1}, "speller_layers"),
        ({"speller_width": 0}, "speller_width"),
        ({"colour": 1}, "colour"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        ModelConfig.from_dict(settings)


def test_settings_survive_a_round_trip() -> None:
    config = ModelConfig(width=64, phones=40)
    assert ModelConfig.from_dict(config.to_dict()) == config
