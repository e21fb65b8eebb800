from __future__ import annotations

import numpy as np
import pytest

from streamasr.app.lm.estimate import count, estimate
from streamasr.app.lm.prune import interpolate, prune
from streamasr.edge.lm.ngram import SPECIAL, NGram, perplexity
from streamasr.errors import ConfigError
from tests.app.lm.test_estimate import babble, sums

WORDS = (*SPECIAL, *"abcdefgh")


def check_sums(model: NGram) -> None:
    for length in range(1, len(model.orders)):
        histories = model.orders[length - 1].keys
        histories = histories[histories % model.base != 1]
        assert sums(model, histories, length) == pytest.approx(1, abs=1e-6)


def test_nothing_is_lost_at_threshold_minus_infinity() -> None:
    tables = count(babble(1), WORDS, 3)
    model = estimate(WORDS, tables)
    same = prune(model, tables, -np.inf)
    assert same.sizes == model.sizes
    for a, b in zip(same.orders, model.orders, strict=True):
        assert a.backoffs == pytest.approx(b.backoffs, abs=1e-6)


def test_a_higher_threshold_gives_a_smaller_and_worse_model_that_still_sums_to_one() -> None:
    tables = count(babble(1, 1000), WORDS, 3)
    model = estimate(WORDS, tables)
    sizes, costs = [], []
    for threshold in (0.0, 1e-4, 1e-2):
        pruned = prune(model, tables, threshold)
        check_sums(pruned)
        sizes.append(sum(pruned.sizes))
        costs.append(perplexity(pruned, babble(1, 1000))[0])
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
    assert costs == sorted(costs)


def test_every_history_of_what_is_kept_is_kept() -> None:
    tables = count(babble(3), WORDS, 3)
    pruned = prune(estimate(WORDS, tables), tables, 1e-3)
    for order, shorter in zip(pruned.orders[1:], pruned.orders, strict=False):
        assert np.isin(order.keys // pruned.base, shorter.keys).all()


def test_a_mixture_has_the_mean_probability_of_what_either_lists() -> None:
    models = [estimate(WORDS, count(babble(seed), WORDS, 2)) for seed in (1, 2)]
    mixed = interpolate(models, [0.25, 0.75])
    check_sums(mixed)
    keys = mixed.orders[1].keys
    expected = 0.25 * np.exp(models[0].score(keys, 2)) + 0.75 * np.exp(models[1].score(keys, 2))
    assert np.exp(mixed.score(keys, 2)) == pytest.approx(expected)


def test_models_that_do_not_match_are_refused() -> None:
    one = estimate(WORDS, count(babble(1), WORDS, 2))
    other = estimate(WORDS, count(babble(1), WORDS, 3))
    with pytest.raises(ConfigError, match="share"):
        interpolate([one, other], [0.5, 0.5])
    with pytest.raises(ConfigError, match="sum to one"):
        interpolate([one, one], [0.5, 0.6])
