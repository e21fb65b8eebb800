"""Mixture weights against a search over all of them, and mixed counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streamasr.app.lm.estimate import count, estimate
from streamasr.app.lm.mix import mix_tables, mixture_weights, word_log_probs
from streamasr.edge.lm.ngram import SPECIAL, NGram
from streamasr.errors import ConfigError
from tests.app.lm.test_estimate import babble

WORDS = (*SPECIAL, *"abcdefgh")


def model(seed: int, order: int = 3) -> NGram:
    text = [[w.translate(str.maketrans("ab", "hg")) for w in s] if seed > 1 else s
            for s in babble(seed)]  # fmt: skip
    return estimate(WORDS, count(text, WORDS, order))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_scores_are_those_of_single_sentences(order: int) -> None:
    text = [["a", "b", "c", "x", "d"], ["h"], ["e", "f", "g", "a", "b"]]
    lone = np.concatenate([model(1, order).sentence_scores(s) for s in text])
    unknown = np.array([w == "x" for s in text for w in [*s, "</s>"]])
    assert word_log_probs(model(1, order), text) == pytest.approx(lone[~unknown])


def test_weights_are_the_best_there_are() -> None:
    models, text = [model(1), model(2)], babble(7, 60) + babble(8, 30)
    found = mixture_weights(models, text, rounds=200)
    assert sum(found) == pytest.approx(1)
    logs = [word_log_probs(m, text) for m in models]

    def likelihood(weight: float) -> float:
        return float(np.logaddexp(np.log(weight) + logs[0], np.log1p(-weight) + logs[1]).mean())

    best = max(np.linspace(0.01, 0.99, 99), key=likelihood)
    assert found[0] == pytest.approx(best, abs=0.02)


def test_no_text_gives_no_weights() -> None:
    with pytest.raises(ConfigError, match="no sentences"):
        mixture_weights([model(1)], [])


def test_counts_are_mixed_as_shares() -> None:
    parts = [count([["a", "a"]], WORDS, 2), count([["b"]], WORDS, 2)]
    unigrams, bigrams = mix_tables(parts, [0.75, 0.25])
    a, b = WORDS.index("a"), WORDS.index("b")
    counts = dict(zip(unigrams.keys.tolist(), unigrams.counts.tolist(), strict=True))
    assert counts == pytest.approx({0: 0.75 / 4 + 0.25 / 3, 1: 0.75 / 4 + 0.25 / 3,
                                    a: 1.5 / 4, b: 0.25 / 3})  # fmt: skip
    assert len(bigrams.keys) == 5
