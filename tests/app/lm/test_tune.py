from __future__ import annotations

import numpy as np
import pytest

from streamasr.app.lm.tune import Example, Found, calibrate, choose_weight, tune
from streamasr.app.mixing import read_clip
from streamasr.core.graph import Calibration
from streamasr.core.model import Emissions
from streamasr.edge.engines import open_engine
from streamasr.errors import ConfigError
from tests.conftest import CLIP_TEXTS, DATA
from tests.fakes import ScriptedEngine

SILENT = Emissions(np.zeros((1, 2), np.float32), np.zeros((1, 40), np.float32))


def found(words: str, text: str, *readings: tuple[float, float, str]) -> Found:
    example = Example(words.split(), SILENT)
    evidence = [(-0.1 if word in words else -2.0, -1.0, 5) for word in text.split()]
    return Found(example, text.split(), evidence, [(c, p, t.split()) for c, p, t in readings])


def test_the_weight_is_the_smallest_with_the_fewest_errors() -> None:
    right, wrong = (5.0, -10.0, "turn left"), (4.0, -13.0, "turn lift")
    assert choose_weight([found("turn left", "turn lift", wrong, right)]) == 0.4
    assert choose_weight([found("turn lift", "turn lift", wrong, right)]) == 0.0


def test_confidence_is_calibrated_on_what_was_right() -> None:
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(60):
        heard = ["a" if rng.random() < 0.7 else "b" for _ in range(4)]
        examples.append(found("a a a a", " ".join(heard)))
    fitted = calibrate(examples)
    assert fitted.confidence(-0.1, -1.0, 5) > 0.9
    assert fitted.confidence(-2.0, -1.0, 5) < 0.1
    assert calibrate(examples[:2]) == Calibration()  # too little to learn from


def test_tuning_a_real_model_never_makes_it_worse(spoken_bundle: object) -> None:
    engine = open_engine(spoken_bundle, device="cpu", kind="onnx", capacity=4)  # type: ignore[arg-type]
    notes: list[str] = []
    clips = [read_clip(DATA / name) for name in CLIP_TEXTS]
    report = tune(engine, list(CLIP_TEXTS.values()), clips, note=notes.append)
    assert report.after.total <= report.before.total <= 3
    assert set(report.tables()) == {"search", "calibration"}
    assert report.tables()["search"]["beam"] == 12.0
    assert any("acoustic_scale" in note for note in notes)


def test_without_a_graph_there_is_nothing_to_tune() -> None:
    with pytest.raises(ConfigError, match="language model"):
        tune(ScriptedEngine(), ["a"], [])
