"""The parts of a recorded step, and the torch engine's use of them, without a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import load
from streamasr.edge.engines.capture import Recorder, StepCells, ladder
from streamasr.edge.engines.torch import TorchEngine
from tests.conftest import noise

STEPS = 12
TOY = ModelConfig(mels=40, conv_channels=4, width=16, layers=2, units=5)


@pytest.mark.parametrize(
    ("capacity", "largest", "sizes"),
    [(1, 8192, [1]), (2, 8, [1, 2]), (5, 8, [1, 2, 4, 8]), (100, 8, [1, 2, 4, 8])],
)
def test_sizes_double_until_one_holds_all(capacity: int, largest: int, sizes: list[int]) -> None:
    assert ladder(capacity, largest) == sizes


def test_fused_cells_equal_torchs_layers() -> None:
    torch.manual_seed(1)
    model = AcousticModel(TOY)
    for layer in model.lstms:
        assert isinstance(layer, torch.nn.LSTM)
        torch.nn.init.normal_(layer.get_parameter("bias_hh_l0"))
    cells = StepCells(model, torch.float32)
    x, hidden, cell = torch.randn(3, 6, 16)
    state = hidden[None], cell[None]  # [1, batch, width]
    for layer in model.lstms:
        assert isinstance(layer, torch.nn.LSTM)
        with torch.no_grad():
            expected, ends = layer(x[None], state)
            found, (last_hidden, last_cell) = cells(layer, x[None], state)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close((last_hidden, last_cell), ends)


class Strict(Recorder):
    """Plays a step as a CUDA graph would: only with the storage that it was recorded on."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.played: list[int] = []

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        engine = step.func.__self__  # type: ignore[attr-defined]
        (size,) = step.args  # type: ignore[attr-defined]
        recorded = super().record(step)
        places = self.places(engine)

        def play() -> None:
            assert self.places(engine) == places
            self.played.append(size)
            recorded()

        engine.recorder = self
        return play

    @staticmethod
    def places(engine: TorchEngine) -> list[int]:
        return [t.data_ptr() for t in (engine._rows_in, engine._rows_out, engine._slab)]


def opened(engine: TorchEngine, count: int) -> list[int]:
    return [engine.open() for _ in range(count)]


def run(engine: TorchEngine, streams: list[np.ndarray], slots: list[int]) -> np.ndarray:
    """Log-probabilities [streams, steps, units and phones], all stepped at once."""
    size = engine.facts.step_samples
    found = []
    for start in range(0, STEPS * size, size):
        batch = [(s, x[start : start + size]) for s, x in zip(slots, streams, strict=True)]
        found.append([np.concatenate([head.ravel() for head in e]) for e in engine.step(batch)])
    return np.array(found).swapaxes(0, 1)


def test_a_batch_runs_on_the_next_size_and_touches_no_other_slot(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamasr.edge.engines.torch.Recorder", Strict)
    monkeypatch.setattr("streamasr.edge.engines.torch.LARGEST", 4)
    engine = TorchEngine(load(tiny_bundle), capacity=9, device="cpu")
    streams = [noise(engine.facts.step_samples * STEPS, seed=s) for s in range(7)]
    slots = opened(engine, 9)
    alone = []
    for samples in streams:
        engine.reset(slots[0])
        alone.append(run(engine, [samples], slots[:1])[0])
    engine.reset(slots[0])
    engine._slab[[7, 8]] = 5.0
    engine.recorder.played.clear()  # type: ignore[attr-defined]
    together = run(engine, streams, slots[:7])
    assert engine.recorder.played == [4, 4] * STEPS  # type: ignore[attr-defined]
    np.testing.assert_allclose(together, alone, atol=1e-3)
    assert (engine._slab[[7, 8]] == 5.0).all()


def test_bfloat16_says_nearly_the_same(tiny_bundle: Path) -> None:
    bundle = load(tiny_bundle)
    exact = TorchEngine(bundle, capacity=2, device="cpu")
    rounded = TorchEngine(bundle, capacity=2, device="cpu", kind=torch.bfloat16)
    streams = [noise(exact.facts.step_samples * STEPS, seed=s) for s in range(2)]
    expected, found = (run(e, streams, opened(e, 2)) for e in (exact, rounded))
    units = len(exact.facts.units)
    distance = 0.5 * np.abs(np.exp(expected) - np.exp(found))[..., :units].sum(axis=-1)
    assert 0 < distance.mean() < 0.02
    assert rounded._slab.dtype == torch.float32


def test_rows_are_read_from_the_inbox_and_answers_from_the_engine(tiny_bundle: Path) -> None:
    engine = TorchEngine(load(tiny_bundle), capacity=3, device="cpu")
    slots = opened(engine, 3)
    samples = noise(engine.facts.step_samples, seed=1)
    expected = engine.step([(slots[1], samples)])[0]
    engine.reset(slots[1])
    engine.inbox[0] = samples
    found = engine.step_rows(np.array([slots[1]]))
    np.testing.assert_array_equal(found.units[0], expected.units)
    assert found.units.base is not None
