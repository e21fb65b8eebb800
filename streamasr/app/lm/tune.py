"""Choose the scales of the graph decoder and the calibration of its confidences.

report = tune(engine, utterances, clips)

The model listens once; what it says is kept and searched again for each trial. Scales are
tried one after the other on a part of the utterances, the best value of each is kept, and
the weight of the sub-word head is read off the readings of the last search of all.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.app.lm.posteriors import listen
from streamasr.app.manifest import thin_out
from streamasr.app.text import normalise
from streamasr.app.wer import Errors, count_errors
from streamasr.core.graph import Calibration, GraphModel, SearchOptions
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.model import Emissions
from streamasr.core.readings import Reading
from streamasr.core.recognizer import Engine
from streamasr.core.rescore import unit_log_probs
from streamasr.errors import ConfigError

Floats = NDArray[np.float64]

TRIED: dict[str, tuple[float, ...]] = {
    "acoustic_scale": (-0.15, 0.15, 0.3),
    "prior_scale": (-0.15, 0.15),
    "phone_cost": (-0.5, 0.5),
    "word_cost": (-0.75, 0.75, 1.5),
}
"""Steps from a scale's value so far."""
WEIGHTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
TRIAL_UTTERANCES = 48
TRIAL_BEAM = 10.0
LONGEST = 25
"""Emissions of a word that count for its calibration."""


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance: what was said and what the model heard."""

    words: list[str]
    heard: Emissions


@dataclass(frozen=True, slots=True)
class TuneReport:
    options: SearchOptions
    calibration: Calibration
    before: Errors
    after: Errors

    def tables(self) -> dict[str, Any]:
        """The tables of bundle.toml's [graph] that were chosen."""
        rounded = {
            name: {key: round(value, 4) for key, value in asdict(values).items()}
            for name, values in (("search", self.options), ("calibration", self.calibration))
        }
        return dict(rounded)


def tune(
    engine: Engine,
    texts: Sequence[str],
    clips: Iterable[NDArray[np.float32]],
    *,
    note: Callable[[str], None] = lambda text: None,
) -> TuneReport:
    """Tune the engine's graph on clips that say ``texts``."""
    model = engine.facts.graph
    if model is None or not texts:
        raise ConfigError("tuning needs a model with a language model, and speech")
    examples = []
    for text, heard in zip(texts, listen(engine, clips), strict=True):
        examples.append(Example(normalise(text).split(), heard))
        note(f"listening {len(examples)}/{len(texts)}")
    trial = thin_out(examples, TRIAL_UTTERANCES)
    options = choose_scales(model, trial, note)
    options = replace(options, beam=model.options.beam)
    before = sum((_final(model, e).errors for e in trial), Errors())
    note("searching with all")
    found = [_final(replace(model, options=options), example) for example in examples]
    options = replace(options, unit_weight=choose_weight(found))
    calibration = calibrate(found)
    tuned = replace(model, options=options)
    after = sum((_final(tuned, e).errors for e in trial), Errors())
    return TuneReport(options, calibration, before, after)


def choose_scales(
    model: GraphModel, examples: Sequence[Example], note: Callable[[str], None]
) -> SearchOptions:
    """Try each scale in turn, a narrower beam for all."""
    best = replace(model.options, beam=TRIAL_BEAM)

    def errors(options: SearchOptions) -> float:
        tried = replace(model, options=options)
        return sum((_final(tried, example).errors for example in examples), Errors()).rate

    least = errors(best)
    for name, steps in TRIED.items():
        start = getattr(best, name)
        for step in steps:
            candidate = replace(best, **{name: round(start + step, 3)})
            rate = errors(candidate)
            note(f"{name} {start + step:g}: {rate:.2%}")
            if rate < least:
                best, least = candidate, rate
    return best


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of one example gave."""

    example: Example
    text: list[str]
    evidence: list[tuple[float, float, int]]
    """Of each word: posterior, worst phone, emissions."""
    readings: list[tuple[float, float, list[str]]]
    """Cost, log-probability by the sub-word head, words."""

    @property
    def errors(self) -> Errors:
        return count_errors(self.example.words, self.text)


def _final(model: GraphModel, example: Example) -> Found:
    decoder = GraphDecoder(model)
    decoder.push(example.heard)
    readings = decoder.readings()
    decoder.finish()
    evidence = [(p, worst, end - start) for _, (start, end), p, worst in decoder.evidence()]
    return Found(example, decoder.text.split(), evidence, _scored(model, readings, example))


def _scored(
    model: GraphModel, readings: Sequence[Reading], example: Example
) -> list[tuple[float, float, list[str]]]:
    scored = unit_log_probs(model, readings, example.heard.units)
    return [
        (reading.cost, log_prob, [model.graph.word(output) for output in reading.path.words])
        for reading, log_prob in scored
    ]


def choose_weight(found: Sequence[Found]) -> float:
    """The weight of the sub-word head with the fewest errors; of equals the smallest."""
    rates = []
    for weight in WEIGHTS:
        total = Errors()
        for one in found:
            best = min(one.readings, key=lambda r: r[0] - weight * r[1], default=(0.0, 0.0, []))
            total += count_errors(one.example.words, best[2])
        rates.append(total.rate)
    return WEIGHTS[int(np.argmin(rates))]


def calibrate(found: Sequence[Found]) -> Calibration:
    """Logistic regression (Newton's method) of a word's being right on its evidence."""
    rows, right = [], []
    for one in found:
        matcher = difflib.SequenceMatcher(None, one.example.words, one.text, autojunk=False)
        hits = {block.b + i for block in matcher.get_matching_blocks() for i in range(block.size)}
        for index, (posterior, worst, length) in enumerate(one.evidence):
            rows.append((1.0, posterior, worst, float(min(length, LONGEST))))
            right.append(float(index in hits))
    x, y = np.array(rows), np.array(right)
    if len(y) < 50 or y.min() == y.max():
        return Calibration()
    weights = np.zeros(x.shape[1])
    prior = 1e-3 * np.eye(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (p * (1 - p) + 1e-6)[:, None]).T @ x + prior
        weights += np.linalg.solve(curvature, x.T @ (y - p) - prior @ weights)
    return Calibration(*weights.tolist())
