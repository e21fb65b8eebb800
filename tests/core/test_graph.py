from __future__ import annotations

import numpy as np
import pytest

from streamasr.core.graph import Calibration, GraphModel, SearchOptions, pack_words
from streamasr.core.phones import PHONES, SILENCE
from streamasr.errors import ConfigError
from tests.graphs import GRAPH, WORDS, phones, toy_model


def test_words_are_numbered_from_one() -> None:
    assert [GRAPH.word(n + 1) for n in range(len(WORDS))] == list(WORDS)
    text, firsts = pack_words(["naïve", "", "a"])
    assert bytes(text[firsts[0] : firsts[1]]).decode() == "naïve"
    assert firsts.tolist() == [0, 6, 6, 7]


def test_scores_are_scaled_likelihoods() -> None:
    model = toy_model(acoustic_scale=0.5, prior_scale=1.0, silence_cost=2.0)
    heard = phones("T SIL")
    found = model.scores(heard)
    expected = 0.5 * (heard - model.log_priors)
    expected[:, SILENCE] -= 2.0
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_calibration_stays_a_probability_and_grows_with_the_posterior() -> None:
    calibration = Calibration()
    assert 0 < calibration.confidence(-100.0, -100.0, 1) < 1e-6
    assert calibration.confidence(-0.1, -0.1, 4) > calibration.confidence(-2.0, -2.0, 4)
    assert calibration.confidence(100.0, 0.0, 1000) <= 1


@pytest.mark.parametrize("name", ["beam", "acoustic_scale", "max_active", "lattice_beam"])
def test_senseless_options_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        SearchOptions(**{name: 0})


def test_priors_must_be_those_of_the_phones() -> None:
    with pytest.raises(ConfigError, match=f"{len(PHONES)} log priors"):
        GraphModel(GRAPH, np.zeros(3, np.float32))
