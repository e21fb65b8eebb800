"""From a training run to a bundle: average, quantise, compare, describe.

The export is refused when the integer graph and the torch network disagree by more
than `TOLERANCE`, so what is measured in training is what ships.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tomli_w
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamasr.app.lm.attach import attach
from streamasr.app.mixing import read_clip
from streamasr.app.train import checkpoint
from streamasr.app.train.calibrate import measure_limits
from streamasr.app.train.config import Recipe, parse_recipe
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.loop import RECIPE_FILE, TAIL_STEPS
from streamasr.app.train.onnx_graph import build_step, integer_matrices
from streamasr.app.train.sharing import share_weights
from streamasr.core.features import HOP, SAMPLE_RATE
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.core.presence import SHARE_OF_SPEECH, certainty
from streamasr.core.units import BLANK, Units
from streamasr.edge import bundle
from streamasr.edge.bundle import PIECES_FILE
from streamasr.edge.inference import open_session
from streamasr.edge.weights import pack, unpack, write_weights
from streamasr.errors import BundleError, ConfigError

TOLERANCE_FLOAT = 2e-3
"""Largest difference of a probability between the float graph and torch."""
TOLERANCE_INT8 = 0.05
"""Largest mean total-variation distance between the int8 graph's emissions and torch's."""
CALIBRATION_S = 120.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two engines' emissions lie apart."""

    mean_distance: float
    """Half the summed probability difference, averaged over emissions: 0..1."""
    same_best: float
    """Share of emissions with the same best unit."""


def read_run(run: Path) -> tuple[Recipe, AcousticModel, Tokeniser]:
    """Rebuild the network of a run with its last epochs averaged."""
    file = run / RECIPE_FILE
    if not file.is_file():
        raise ConfigError(f"{run} is no training run: it has no {RECIPE_FILE}")
    recipe = parse_recipe(json.loads(file.read_text()), where=str(file))
    model = AcousticModel(recipe.model)
    files = checkpoint.epoch_files(run)[-recipe.train.average :]
    model.load_state_dict(checkpoint.average(files))
    return recipe, model.eval(), Tokeniser((run / PIECES_FILE).read_bytes())


def export(
    run: Path,
    out: Path,
    *,
    audio: Sequence[Path],
    quantised: bool = True,
    name: str = "",
    language: Path | None = None,
) -> Agreement:
    """Write a bundle from a run; ``audio`` is training speech to calibrate and compare on.

    ``language`` is a folder with a language model that goes into the bundle too.
    """
    recipe, model, tokeniser = read_run(run)
    log = run / "log.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    training: dict[str, Any] = {
        "epochs": len(rows),
        "hours": round(sum(r["seconds"] for r in rows) / 3600, 2),
    }
    if rows:
        training["dev_wer_last_epoch"] = round(rows[-1]["dev_wer"], 4)
    speech = read_speech(audio, recipe.model.step_samples)
    pieces = (run / PIECES_FILE).read_bytes()
    agreement = write_bundle(
        out,
        model,
        tokeniser.units,
        speech,
        quantised=quantised,
        name=name,
        training=training,
        pieces=pieces,
        phone_delay_ms=recipe.train.phone_delay_ms,
    )
    if language is not None:
        attach(out, language, map(read_clip, audio))
    return agreement


def write_bundle(
    out: Path,
    model: AcousticModel,
    units: Units,
    speech: Tensor,
    *,
    quantised: bool = True,
    name: str = "",
    training: dict[str, Any] | None = None,
    pieces: bytes = b"",
    phone_delay_ms: float = 60.0,
) -> Agreement:
    """Write the folder ``out``: speech [1, steps · step_samples] serves to calibrate int8.

    Raises BundleError where ONNX and torch disagree; ``out`` is replaced only when the
    new bundle is whole, and a card that lay there stays.
    """
    name = name or out.name
    with torch.no_grad():
        trained = model(speech)
        packed = _round(model, quantised=quantised)
        stored = model(speech)
    limits = measure_limits(model, [speech])
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    for used_limits in (None, limits) if quantised else (None,):
        graph = build_step(model.config, weights, used_limits)
        # the graph must be the stored network, and its integers close to the trained one
        expected = (stored if used_limits is None else trained).units[0].numpy()
        agreement = compare(expected, run_graph(graph, model.config, speech[0].numpy()))
        _refuse_disagreement(agreement, integers=used_limits is not None)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / bundle.UNITS_FILE).write_text(units.dump(), encoding="utf-8")
    write_weights(packed, partial / bundle.WEIGHTS_FILE)
    share_weights(graph, partial / bundle.WEIGHTS_FILE)
    (partial / bundle.ONNX_FILE).write_bytes(graph.SerializeToString())
    if pieces:
        (partial / bundle.PIECES_FILE).write_bytes(pieces)
    facts = describe(model.config, name, partial, agreement, quantised=quantised)
    if stored.phones is not None:
        sure = certainty(stored.phones[0].numpy())
        facts["decode"]["phone_delay_ms"] = phone_delay_ms
        facts["decode"]["presence"] = round(SHARE_OF_SPEECH * sure, 3)
    facts["training"] = training or {}
    (partial / bundle.FACTS_FILE).write_text(tomli_w.dumps(facts), encoding="utf-8")
    bundle.load(partial)
    card = out / bundle.CARD_FILE
    if card.is_file():
        shutil.copy(card, partial / bundle.CARD_FILE)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return agreement


def describe(
    config: ModelConfig, name: str, folder: Path, agreement: Agreement, *, quantised: bool
) -> dict[str, Any]:
    """The contents of bundle.toml."""
    parts = [bundle.UNITS_FILE, bundle.ONNX_FILE, bundle.WEIGHTS_FILE]
    parts += [bundle.PIECES_FILE] if (folder / bundle.PIECES_FILE).is_file() else []
    return {
        "format": bundle.FORMAT,
        "name": name,
        "language": "en",
        "created": date.today().isoformat(),
        "model": config.to_dict(),
        "audio": {"sample_rate": SAMPLE_RATE, "hop": HOP, "right_context": 0},
        "decode": {
            "tail_steps": TAIL_STEPS,
            "latency_ms": config.latency_ms,
            "blank": BLANK,
            "subsampling": config.frames_per_step,
        },
        "quantisation": {
            "int8": quantised,
            "mean_distance_to_torch": round(agreement.mean_distance, 5),
            "same_best_unit": round(agreement.same_best, 5),
        },
        "checksums": {part: bundle.checksum(folder / part) for part in parts},
    }


def run_graph(
    graph: onnx.ModelProto, config: ModelConfig, samples: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Stream samples [steps · step_samples] through a step graph: units' log-probabilities."""
    session = open_session(graph.SerializeToString(), name="the exported graph")
    state = np.zeros((1, config.state_size), np.float32)
    found = []
    for start in range(0, len(samples), config.step_samples):
        step = samples[None, start : start + config.step_samples]
        units, state = session.run(["units", "new_state"], {"samples": step, "state": state})
        found.append(units[0])
    return np.concatenate(found)


def compare(expected: NDArray[np.float32], found: NDArray[np.float32]) -> Agreement:
    """Compare log-probabilities [emissions, units] of two engines."""
    distance = 0.5 * np.abs(np.exp(expected) - np.exp(found)).sum(axis=1)
    same = expected.argmax(axis=1) == found.argmax(axis=1)
    return Agreement(float(distance.mean()), float(same.mean()))


def _refuse_disagreement(agreement: Agreement, *, integers: bool) -> None:
    limit = TOLERANCE_INT8 if integers else TOLERANCE_FLOAT
    if not agreement.mean_distance <= limit:
        kind = "int8" if integers else "float"
        raise BundleError(
            f"the {kind} ONNX graph and torch differ by {agreement.mean_distance:.4f} on "
            f"average, allowed is {limit}",
            remedy="calibrate on more speech, or export without int8",
        )


def read_speech(files: Sequence[Path], step: int) -> Tensor:
    """Samples [1, n] of whole steps at most CALIBRATION_S long."""
    if not files:
        raise ConfigError("export needs speech to calibrate on", remedy="--audio FILE...")
    joined = np.concatenate([read_clip(f) for f in files])
    joined = joined[: int(CALIBRATION_S * SAMPLE_RATE)]
    return torch.from_numpy(joined[: len(joined) // step * step][None].copy())


def _round(model: AcousticModel, *, quantised: bool) -> dict[str, Tensor]:
    """Give the model the weights as they will be stored, and return those."""
    weights = model.state_dict()
    packed = pack(weights, integer_matrices(weights) if quantised else ())
    model.load_state_dict(unpack(packed))
    return packed
