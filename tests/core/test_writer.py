"""The writer: taught as it is used, and told what it wrote."""

from dataclasses import replace

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


@pytest.fixture(scope="module", params=[0.0, 0.4])
def model(request: pytest.FixtureRequest) -> AcousticModel:
    torch.manual_seed(4)
    model = AcousticModel(replace(CONFIG, writer_heed=request.param)).eval()
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
    spelt = model.speller.spell(heard)[0].transpose(0, 1)
    fresh = torch.zeros(1, 3, 10), torch.zeros(1, 3, 10), torch.zeros(1, 3, 1)
    written, (_, _, end) = model.writer.write(heard, spelt, fresh)
    units = written[..., 0].long().T
    assert len(units.unique()) > 2
    last, told = torch.zeros(3, dtype=torch.int64), []
    for step in units:
        told.append(last)
        last = torch.where(step != BLANK, step, last)
    said = model.writer(heard, spelt, torch.stack(told))
    torch.testing.assert_close(said.argmax(dim=2), units)
    torch.testing.assert_close(said.amax(dim=2).T, written[..., 1])
    assert end[0, :, 0].tolist() == last.tolist()


@torch.no_grad()
def test_what_it_wrote_changes_what_it_writes(model: AcousticModel) -> None:
    heard = model.speller.features(torch.rand(1, 2, 5))
    spelt = model.speller.spell(heard)[0].transpose(0, 1)
    one, other = (model.writer(heard, spelt, torch.full((1, 1), unit)) for unit in (1, 2))
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


@torch.no_grad()
def test_what_it_heeds_is_part_of_what_it_says() -> None:
    """Half and half: the mean of both log-probabilities, and a unit told again counts as blank."""
    alone, heeding = (
        AcousticModel(replace(CONFIG, writer_heed=heed)).eval().writer for heed in (0.0, 0.5)
    )
    heeding.load_state_dict(alone.state_dict())
    heard, spelt = torch.rand(1, 1, 20), torch.randn(1, 1, 7).log_softmax(dim=2)
    told = torch.tensor([[3]])
    opinion = spelt.clone()
    opinion[0, 0, BLANK] = torch.logaddexp(spelt[0, 0, BLANK], spelt[0, 0, 3])
    expected = (alone(heard, spelt, told) + opinion) / 2
    torch.testing.assert_close(heeding(heard, spelt, told), expected.log_softmax(dim=2))
    expected = (alone(heard, spelt, torch.tensor([[BLANK]])) + spelt) / 2
    torch.testing.assert_close(
        heeding(heard, spelt, torch.tensor([[BLANK]])), expected.log_softmax(dim=2)
    )


@pytest.mark.parametrize("heed", [-0.1, 1.0])
def test_it_says_something_itself(heed: float) -> None:
    with pytest.raises(ConfigError, match="writer_heed"):
        replace(CONFIG, writer_heed=heed)


def test_it_needs_a_speller() -> None:
    with pytest.raises(ConfigError, match="speller_layers"):
        ModelConfig(writer_width=8)
