"""Both engines keep the same laws, and say the same things as each other."""

from pathlib import Path

import numpy as np
import pytest

from streamasr.core.model import Emissions
from streamasr.core.recognizer import Engine
from streamasr.edge.bundle import load
from streamasr.edge.engines import load_recognizer, open_engine
from streamasr.errors import BundleError, CapacityError, UsageError
from tests.conftest import noise

STEPS = 30
KINDS = ["onnx", "torch"]


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tiny_bundle: Path) -> Engine:
    return open_engine(tiny_bundle, device="cpu", kind=request.param, capacity=8)


def both(emissions: Emissions) -> np.ndarray:
    """Log-probabilities of both heads in a row: [1, units and phones]."""
    assert emissions.phones is not None
    return np.concatenate([head.ravel() for head in emissions])[None]


def step(engine: Engine, slot: int, samples: np.ndarray) -> np.ndarray:
    return both(engine.step([(slot, samples)])[0])


def stream_alone(engine: Engine, samples: np.ndarray) -> np.ndarray:
    """Log-probabilities [steps, units and phones] of one stream on its own."""
    slot = engine.open()
    size = engine.facts.step_samples
    found = [step(engine, slot, samples[i : i + size]) for i in range(0, len(samples), size)]
    engine.close(slot)
    return np.concatenate(found)


def streams(engine: Engine, count: int) -> list[np.ndarray]:
    return [noise(engine.facts.step_samples * STEPS, seed=s) for s in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_batching_with_others_changes_nothing(engine: Engine, seed: int) -> None:
    """Random subsets of the streams step together until all are through."""
    rng = np.random.default_rng(seed)
    audio = streams(engine, 4)
    expected = [stream_alone(engine, a) for a in audio]
    size = engine.facts.step_samples
    slots = [engine.open() for _ in audio]
    done = [0] * len(audio)
    found: list[list[np.ndarray]] = [[] for _ in audio]
    while min(done) < STEPS:
        ready = [i for i in range(len(audio)) if done[i] < STEPS and rng.random() < 0.6]
        batch = [(slots[i], audio[i][done[i] * size : (done[i] + 1) * size]) for i in ready]
        for i, emissions in zip(ready, engine.step(batch), strict=True):
            found[i].append(both(emissions))
            done[i] += 1
    for parts, alone in zip(found, expected, strict=True):
        together = np.concatenate(parts)
        np.testing.assert_allclose(together, alone, atol=1e-3)
        np.testing.assert_array_equal(together.argmax(1), alone.argmax(1))


def test_integer_engine_is_exact_in_any_batch(tiny_bundle: Path) -> None:
    """Activation scales are fixed, so no neighbour can move a stream by one bit of int8."""
    engine = open_engine(tiny_bundle, device="cpu", kind="onnx", capacity=8)
    quiet, loud = streams(engine, 2)
    expected = stream_alone(engine, quiet * 0.01)
    slots, size = [engine.open(), engine.open()], engine.facts.step_samples
    for number in range(STEPS):
        part = slice(number * size, (number + 1) * size)
        batch = [(slots[0], quiet[part] * np.float32(0.01)), (slots[1], loud[part])]
        beside = both(engine.step(batch)[0])
        np.testing.assert_allclose(beside, expected[number : number + 1], atol=1e-5)


def test_engines_agree(tiny_bundle: Path) -> None:
    engines = [open_engine(tiny_bundle, device="cpu", kind=k) for k in KINDS]
    samples = streams(engines[0], 1)[0]
    integer, reference = (
        np.exp(stream_alone(e, samples)[:, : len(e.facts.units)]) for e in engines
    )
    assert 0.5 * np.abs(integer - reference).sum(axis=1).mean() < 0.05
    assert (integer.argmax(1) == reference.argmax(1)).mean() > 0.9


def test_reset_and_reopen_give_fresh_state(engine: Engine) -> None:
    audio = streams(engine, 1)[0][: engine.facts.step_samples]
    slot = engine.open()
    first = step(engine, slot, audio)
    moved = step(engine, slot, audio)
    assert not np.allclose(first, moved)
    engine.reset(slot)
    np.testing.assert_array_equal(step(engine, slot, audio), first)
    engine.close(slot)
    slot = engine.open()
    np.testing.assert_array_equal(step(engine, slot, audio), first)


def test_answers_belong_to_the_caller(engine: Engine) -> None:
    audio = streams(engine, 1)[0]
    size = engine.facts.step_samples
    slot = engine.open()
    first = engine.step([(slot, audio[:size])])[0]
    kept = both(first)
    engine.step([(slot, audio[size : 2 * size])])
    np.testing.assert_array_equal(both(first), kept)


def test_a_full_engine_refuses_and_recovers(engine: Engine) -> None:
    slots = [engine.open() for _ in range(engine.capacity)]
    assert sorted(slots) == list(range(engine.capacity))
    with pytest.raises(CapacityError, match="8 streams"):
        engine.open()
    engine.close(slots[3])
    assert engine.open() == slots[3]


def test_an_empty_batch_is_no_work(engine: Engine) -> None:
    assert engine.step([]) == []


def test_a_batch_beyond_one_run_is_cut(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamasr.edge.engines.onnx.MAX_BATCH", 3)
    engine = open_engine(tiny_bundle, device="cpu", kind="onnx", capacity=8)
    audio = [a[: engine.facts.step_samples] for a in streams(engine, 8)]
    slots = [engine.open() for _ in audio]
    found = engine.step(list(zip(slots, audio, strict=True)))
    for one, samples in zip(found, audio, strict=True):
        slot = slots[0]
        engine.reset(slot)
        np.testing.assert_allclose(both(one), step(engine, slot, samples), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"device": "tpu"}, "tpu"),
        ({"threads": 0}, "threads"),
        ({"capacity": 0}, "capacity"),
        ({"kind": "jax"}, "jax"),
    ],
)
def test_wrong_usage_is_named(tiny_bundle: Path, options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        open_engine(tiny_bundle, **options)  # type: ignore[arg-type]


def test_a_graph_that_is_no_graph_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    from streamasr.edge.engines.onnx import OnnxEngine

    bundle = load(tiny_bundle)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="cannot run"):
        OnnxEngine(
            type(bundle)(broken, bundle.facts, bundle.config, bundle.info), capacity=1, threads=1
        )


def test_load_recognizer_makes_streams(tiny_bundle: Path) -> None:
    recognizer = load_recognizer(str(tiny_bundle), device="cpu")
    assert recognizer.facts.name == "tiny"
    with recognizer.stream() as stream:
        assert stream.accept(np.zeros(16_000, np.float32)) == []
