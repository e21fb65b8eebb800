"""The last word of the accurate mode: both heads choose among the best readings.

The search over phones gives the readings; the sub-word head scores each again with the
exact CTC probability of its spelling, and the weighted sum of both decides. The two heads
err differently, so this is worth several points of word error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core import nativesearch
from streamasr.core.graph import Floats, GraphModel
from streamasr.core.readings import Path, Reading
from streamasr.core.units import BLANK

WordOf = Callable[[int], str]

FAINTEST = -40.0
"""Log-probabilities are not taken for less."""


def choose(
    model: GraphModel,
    readings: Sequence[Reading],
    units: Floats,
    word: WordOf | None = None,
    skip: int = 0,
) -> Path | None:
    """The best reading by both heads; None where there is nothing to choose from; see `rank`."""
    ranked = rank(model, readings, units, word, skip)
    return ranked[0][1] if ranked else None


def rank(
    model: GraphModel,
    readings: Sequence[Reading],
    units: Floats,
    word: WordOf | None = None,
    skip: int = 0,
) -> list[tuple[float, Path]]:
    """The readings with their costs by both heads, cheapest first; none that cannot be spelt.

    ``units`` are log-probabilities [emissions, units] of the utterance after its first
    ``skip`` words, which all readings share; ``word`` gives the words of outputs, where the
    graph alone does not know them all.
    """
    weight = model.options.unit_weight
    plain = [(each.cost, each.path) for each in readings]
    if not weight or len(readings) <= 1 or not len(units):
        return plain
    scored = unit_log_probs(model, readings, units, word, skip)
    both = [(each.cost - weight * log_prob, each.path) for each, log_prob in scored]
    return sorted(both, key=lambda pair: pair[0]) or plain


def unit_log_probs(
    model: GraphModel,
    readings: Sequence[Reading],
    units: Floats,
    word: WordOf | None = None,
    skip: int = 0,
) -> list[tuple[Reading, float]]:
    """The readings that can be spelt, with their log-probabilities by the sub-word head."""
    if model.speller is None:
        return []
    word = word or model.graph.word
    targets, spellable = [], []
    spelling: dict[int, Sequence[int]] = {}
    for reading in readings:
        outputs = reading.path.words[skip:]
        for output in outputs:
            if output not in spelling:
                spelling[output] = model.speller.spell(word(output))
        if all(spelling[output] for output in outputs):
            targets.append([unit for output in outputs for unit in spelling[output]])
            spellable.append(reading)
    if not spellable:
        return []
    return list(zip(spellable, ctc_log_probs(units, targets).tolist(), strict=True))


def ctc_log_probs(
    log_probs: NDArray[np.float32], targets: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """log P(target | emissions) for each target, by the forward algorithm (Graves 2006).

    log_probs [emissions, units], at least one emission; a target is a list of unit ids.
    Probabilities are scaled to a largest of one at each emission, so none vanishes that
    could still matter.
    """
    if nativesearch.is_available():
        return nativesearch.ctc_log_probs(log_probs, targets)
    return plain_ctc_log_probs(log_probs, targets)


def plain_ctc_log_probs(
    log_probs: NDArray[np.float32], targets: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """The same in numpy."""
    probs = np.exp(np.maximum(log_probs, FAINTEST).astype(np.float64))
    ends = np.array([2 * len(target) for target in targets])
    states = np.full((len(targets), int(ends.max()) + 1), BLANK)
    for row, target in zip(states, targets, strict=True):
        row[1 : 2 * len(target) : 2] = target
    may_skip = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    forward = np.zeros(states.shape)
    forward[:, :2] = probs[0][states[:, :2]]
    logs = np.zeros(len(targets))
    for row in probs[1:]:
        step = forward.copy()
        step[:, 1:] += forward[:, :-1]
        step[:, 2:] += forward[:, :-2] * may_skip
        step *= row[states]
        scale = step.max(axis=1)
        logs += np.log(np.maximum(scale, 1e-300))
        forward = step / np.maximum(scale, 1e-300)[:, None]
    rows = np.arange(len(targets))
    total = forward[rows, ends] + np.where(ends > 0, forward[rows, np.maximum(ends - 1, 0)], 0.0)
    return np.asarray(logs + np.log(np.maximum(total, 1e-300)))
