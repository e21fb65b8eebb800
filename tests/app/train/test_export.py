"""Export: what is written loads and agrees; what does not agree is refused."""

from pathlib import Path

import pytest
import torch

from streamasr.app.train.export import export, read_speech, write_bundle
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import load
from streamasr.edge.engines.torch import load_network
from streamasr.errors import BundleError, ConfigError
from tests.conftest import TINY_UNITS, noise

CONFIG = ModelConfig(
    mels=40,
    conv_channels=8,
    width=32,
    layers=1,
    units=len(TINY_UNITS),
    phones=5,
    speller_layers=1,
    speller_width=24,
)


def network() -> AcousticModel:
    torch.manual_seed(0)
    return AcousticModel(CONFIG).eval()


@pytest.fixture
def speech() -> torch.Tensor:
    return torch.from_numpy(noise(CONFIG.step_samples * 30, seed=1)[None])


@pytest.mark.parametrize("quantised", [True, False])
def test_a_bundle_states_what_it_is(tmp_path: Path, speech: torch.Tensor, quantised: bool) -> None:
    model = network()
    agreement = write_bundle(
        tmp_path / "m", model, TINY_UNITS, speech, quantised=quantised, training={"epochs": 3}
    )
    loaded = load(tmp_path / "m")
    assert loaded.info["quantisation"]["int8"] is quantised
    assert loaded.info["training"] == {"epochs": 3}
    assert loaded.config == CONFIG
    assert loaded.facts.units == TINY_UNITS
    assert agreement.same_best > 0.95


def test_stored_weights_are_those_of_the_graph(tmp_path: Path, speech: torch.Tensor) -> None:
    """Weights are rounded before the graph is written, so both engines hold the same."""
    model = network()
    write_bundle(tmp_path / "m", model, TINY_UNITS, speech)
    again = load_network(load(tmp_path / "m"))
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_a_network_that_integers_cannot_hold_is_refused(
    tmp_path: Path, speech: torch.Tensor
) -> None:
    write_bundle(tmp_path / "m", network(), TINY_UNITS, speech)
    before = (tmp_path / "m" / "bundle.toml").read_text()
    model = network()
    with torch.no_grad():  # a huge weight for an input that is never there leaves no integers
        for norm, lstm in zip(model.norms, model.lstms, strict=True):
            norm.weight[0] = 0.0
            lstm.weight_ih_l0[:, 0] = 5000.0
        head, norm = model.speller.head, model.speller.norms[-1]
        norm.weight[0] = 0.0
        head.weight[:, 0] = 5000.0
        head.weight[:, 1:] *= 20.0
    with pytest.raises(BundleError, match="int8 ONNX graph and torch differ"):
        write_bundle(tmp_path / "m", model, TINY_UNITS, speech)
    assert (tmp_path / "m" / "bundle.toml").read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_card_survives_a_new_export(tmp_path: Path, speech: torch.Tensor) -> None:
    write_bundle(tmp_path / "m", network(), TINY_UNITS, speech)
    (tmp_path / "m" / "CARD.md").write_text("kept")
    write_bundle(tmp_path / "m", network(), TINY_UNITS, speech)
    assert (tmp_path / "m" / "CARD.md").read_text() == "kept"


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no training run"):
        export(tmp_path, tmp_path / "m", audio=[])


def test_calibration_needs_speech() -> None:
    with pytest.raises(ConfigError, match="needs speech"):
        read_speech([], 1280)
