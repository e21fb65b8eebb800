from __future__ import annotations

import numpy as np
import pytest

from streamasr.app.lm.estimate import count, estimate
from streamasr.edge.lm.ngram import SPECIAL, NGram, Order, join_ids, perplexity, split_keys
from streamasr.errors import ConfigError

WORDS = (*SPECIAL, "a", "b")
# p(a) = 0.5, p(b) = 0.25, p(</s>) = 0.25; after a: b 0.6, and 0.5 of the unigrams
UNIGRAMS = Order(
    np.arange(5),
    np.log([1e-30, 0.25, 1e-30, 0.5, 0.25]),
    np.log([1.0, 1.0, 1.0, 0.5, 1.0]),
)
BIGRAMS = Order(np.array([join_ids([3, 4], 5)]), np.log([0.6]), np.zeros(1))
MODEL = NGram(WORDS, (UNIGRAMS, BIGRAMS))


def test_what_is_listed_is_looked_up_and_the_rest_backs_off() -> None:
    keys = np.array([join_ids(gram, 5) for gram in [(3, 4), (3, 3), (4, 3), (3, 1)]])
    assert np.exp(MODEL.score(keys, 2)) == pytest.approx([0.6, 0.25, 0.5, 0.125])


def test_a_sentence_is_scored_word_by_word_to_its_end() -> None:
    assert np.exp(MODEL.sentence_scores(["a", "b"])) == pytest.approx([0.5, 0.6, 0.25])


def test_perplexity_leaves_unknown_words_out_and_counts_them() -> None:
    value, unknown = perplexity(MODEL, [["a", "b"], ["a", "zebra"]])
    logs = np.log([0.5, 0.6, 0.25, 0.5, 0.25])  # the end after the unknown word backs off
    assert value == pytest.approx(np.exp(-logs.mean()))
    assert unknown == 0.25


def test_keys_are_digits() -> None:
    rows = [[3, 4, 1], [0, 0, 4]]
    keys = np.array([join_ids(row, 5) for row in rows])
    assert split_keys(keys, 5, 3).tolist() == rows


def test_an_order_without_n_grams_backs_off_everywhere() -> None:
    empty = Order(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    model = NGram(WORDS, (UNIGRAMS, empty))
    assert np.exp(model.score(np.array([join_ids([4, 3], 5)]), 2)) == pytest.approx([0.5])


def test_the_special_words_come_first() -> None:
    with pytest.raises(ConfigError, match="<s>"):
        NGram(("a", "b"), (UNIGRAMS,))


def test_unknown_words_map_to_unk() -> None:
    model = estimate(WORDS, count([["a", "zebra"]], WORDS, 2))
    assert model.encode(["a", "zebra"]) == [3, 2]
