from __future__ import annotations

import gc

import numpy as np
import pytest

from streamasr.core import nativesearch
from streamasr.core.nativesearch import NativeSearch, ctc_log_probs
from streamasr.core.rescore import plain_ctc_log_probs
from tests.graphs import SPOKEN, muddle, toy_model

pytestmark = pytest.mark.skipif(
    not nativesearch.is_available(), reason="not compiled: python hatch_build.py, with a C compiler"
)


def emissions(count: int, units: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 4, (count, units))
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_of_spellings_are_those_of_the_plain_algorithm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = rng.integers(1, 9, 6).tolist()
    targets = [begin[: rng.integers(0, 7)] + rng.integers(1, 9, 4).tolist() for _ in range(20)]
    log_probs = emissions(60, 9, seed)
    ours = ctc_log_probs(log_probs, targets)
    assert ours == pytest.approx(plain_ctc_log_probs(log_probs, targets), rel=1e-9)


def test_an_empty_spelling_and_a_single_emission() -> None:
    log_probs = emissions(1, 5, 0)
    assert ctc_log_probs(log_probs, [[2], []]) == pytest.approx(
        [float(log_probs[0, 2]), float(log_probs[0, 0])], rel=1e-6
    )


def test_a_spelling_that_is_all_but_impossible_is_no_likelier_than_others() -> None:
    log_probs = np.full((2000, 3), -39.0, np.float32)
    log_probs[:, 0] = 0.0
    likely, unlikely = ctc_log_probs(log_probs, [[], [1, 2] * 200])
    assert likely == pytest.approx(0.0)
    assert unlikely < -600


def test_a_model_and_its_searches_are_forgotten_together() -> None:
    kept = len(nativesearch._GRAPHS)
    model = toy_model()
    search = NativeSearch(model)
    for row in muddle(SPOKEN, 1):
        search.push(row[None])
    assert len(nativesearch._GRAPHS) == kept + 1
    del search, model
    gc.collect()
    assert len(nativesearch._GRAPHS) == kept


def test_searches_do_not_share_anything() -> None:
    model = toy_model()
    alone, one, two = NativeSearch(model), NativeSearch(model), NativeSearch(model)
    first, second = muddle(SPOKEN, 1), muddle(SPOKEN, 2)
    for row, other in zip(first, second, strict=True):
        alone.push(row[None])
        one.push(row[None])
        two.push(other[None])
    assert one.path().labels == alone.path().labels
