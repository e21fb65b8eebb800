"""The writer: taught as it is used, and told what it wrote."""

import pytest
import torch

from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.core.units import BLANK
from streamasr.errors import ConfigError

CONFIG = ModelConfig(
    mels=40, conv_channels=8, width=16, layers=1, units=7, phones=5, speller_layers=1,
    speller_width=12, writer_width=10, writer_embedding=6, dropout=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    torch.manual_seed(4)
    model = AcousticModel(CONFIG).eval()
    with torch.no_grad():
        model.writer.head.weight.mul_(12.0)
        model.writer.embedding.weight.mul_(4.0)
        model.writer.lstm.weight_ih_l0.mul_(6.0)
    return model


@torch.no_grad()
def test_it_writes_what_it_is_taught_to_from_what_it_wrote(model: AcousticModel) -> None:
    """Told its own units in advance, it gives the same ones with the same probabilities."""
    phones = torch.rand(3, 24, 5)
    heard = model.speller.features(phones)
    fresh = torch.zeros(1, 3, 10), torch.zeros(1, 3, 10), torch.zeros(1, 3, 1)
    written, (_, _, end) = model.writer.write(heard, fresh)
    units = written[..., 0].long().T
    assert len(units.unique()) > 2
    last, told = torch.zeros(3, dtype=torch.int64), []
    for step in units:
        told.append(last)
        last = torch.where(step != BLANK, step, last)
    said = model.writer(heard, torch.stack(told))
    torch.testing.assert_close(said.argmax(dim=2), units)
    torch.testing.assert_close(said.amax(dim=2).T, written[..., 1])
    assert end[0, :, 0].tolist() == last.tolist()


@torch.no_grad()
def test_what_it_wrote_changes_what_it_writes(model: AcousticModel) -> None:
    heard = model.speller.features(torch.rand(1, 2, 5))
    one, other = (model.writer(heard, torch.full((1, 1), unit)) for unit in (1, 2))
    assert not torch.allclose(one, other)


@torch.no_grad()
def test_it_streams_as_it_runs_at_once(model: AcousticModel) -> None:
    samples = torch.randn(2, 6 * CONFIG.step_samples)
    whole = model(samples)
    state, parts = None, []
    for part in samples.split(CONFIG.step_samples, dim=1):
        step = model(part, state)
        state = step.state
        parts.append(step.written)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole.written)
    torch.testing.assert_close(state, whole.state)
    assert model(samples, write=False).written is None


def test_it_needs_a_speller() -> None:
    with pytest.raises(ConfigError, match="speller_layers"):
        ModelConfig(writer_width=8)
