from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from streamasr.core.readings import Path, Reading
from streamasr.core.rescore import choose, ctc_log_probs
from tests.graphs import WORDS, toy_model, units

IDS = {word: n + 1 for n, word in enumerate(WORDS)}


def reading(cost: float, text: str) -> Reading:
    outputs = [IDS[word] for word in text.split()]
    return Reading(cost, Path([0] * len(outputs), [0] * len(outputs), outputs))


@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
def test_ctc_is_the_sum_over_all_paths(target: list[int]) -> None:
    rng = np.random.default_rng(len(target))
    probs = rng.dirichlet(np.ones(3), size=5)
    total = 0.0
    for path in product(range(3), repeat=5):
        merged = [u for i, u in enumerate(path) if u and (i == 0 or path[i - 1] != u)]
        if merged == target:
            total += float(np.prod(probs[np.arange(5), path]))
    logs = np.log(probs).astype(np.float32)
    others = [[2], [1, 2, 1]]
    found = ctc_log_probs(logs, [others[0], target, others[1]])
    assert np.exp(found[1]) == pytest.approx(total, rel=1e-5, abs=1e-12)


def test_ctc_survives_a_long_utterance() -> None:
    rng = np.random.default_rng(0)
    logs = np.log(rng.dirichlet(np.full(40, 0.05), size=800) + 1e-30).astype(np.float32)
    target = rng.integers(1, 40, 200).tolist()
    found = ctc_log_probs(logs, [target, target[:-1]])
    assert np.all(np.isfinite(found))
    assert np.all(found < -100)


def test_the_other_head_can_change_the_reading() -> None:
    heard = units("turn off the light", 45)
    both = [reading(1.0, "turn on the light"), reading(3.0, "turn off the light")]
    for weight, expected in ((0.0, 0), (1.0, 1)):
        assert choose(toy_model(unit_weight=weight), both, heard) is both[expected].path


def test_a_word_that_has_no_spelling_is_left_to_the_others() -> None:
    unspelt = Reading(0.0, Path([0], [0], [IDS["<unk>"]]))  # no unit for its brackets
    spelt = reading(1.0, "turn")
    heard = units("turn", 9)
    assert choose(toy_model(), [unspelt, spelt], heard) is spelt.path
    assert choose(toy_model(), [unspelt, unspelt], heard) is unspelt.path


def test_without_readings_there_is_nothing_to_choose() -> None:
    assert choose(toy_model(), [], units("", 3)) is None
