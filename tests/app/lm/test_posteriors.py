from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.lm.posteriors import listen
from streamasr.edge.engines import open_engine
from streamasr.errors import BundleError
from tests.conftest import noise
from tests.fakes import ScriptedEngine


def test_clips_are_heard_side_by_side_as_each_alone(tiny_bundle: Path) -> None:
    engine = open_engine(tiny_bundle, device="cpu", kind="onnx", capacity=3)
    clips = [noise(length, seed=length) for length in (3000, 9000, 100, 6400, 5000)]
    together = list(listen(engine, clips))
    for clip, found in zip(clips, together, strict=True):
        (alone,) = listen(engine, [clip])
        assert found.phones is not None
        assert alone.phones is not None
        np.testing.assert_allclose(found.phones, alone.phones, atol=1e-4)
        np.testing.assert_allclose(found.units, alone.units, atol=1e-4)
        steps = -(-len(clip) // engine.facts.step_samples) + engine.facts.tail_steps
        assert len(found.units) == steps * engine.facts.unit_outputs
        assert len(found.phones) == steps * engine.facts.outputs_per_step
    assert sorted(engine.open() for _ in range(3)) == [0, 1, 2]


def test_a_model_without_phones_is_refused() -> None:
    with pytest.raises(BundleError, match="no phone head"):
        list(listen(ScriptedEngine(), [np.zeros(5000, np.float32)]))
