"""Kneser-Ney against numbers worked by hand, and against the law of total probability."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from streamasr.app.lm.corpus import Corpus
from streamasr.app.lm.estimate import choose_words, count, count_stream, discount, estimate
from streamasr.edge.lm.ngram import SPECIAL, START, Keys, NGram, join_ids
from streamasr.errors import ConfigError

TINY = [["a", "b"], ["a", "b"], ["a", "c"]]
WORDS = (*SPECIAL, "a", "b", "c")


def sums(model: NGram, histories: Keys, length: int) -> np.ndarray:
    """The total probability of all words after each history of ``length`` words."""
    words = np.arange(model.base, dtype=np.int64)
    keys = [history * model.base + words for history in histories.tolist()]
    return np.array([np.exp(model.score(row, length + 1)).sum() for row in keys])


def probability(model: NGram, *words: str) -> float:
    key = join_ids([model.words.index(w) for w in words], model.base)
    return float(np.exp(model.score(np.array([key]), len(words))[0]))


def babble(seed: int, sentences: int = 300) -> list[list[str]]:
    """Sentences of a skewed vocabulary in which a word depends on the one before it."""
    rng, out = Random(seed), []
    for _ in range(sentences):
        words, at = [], rng.randrange(8)
        for _ in range(rng.randint(1, 9)):
            words.append("abcdefgh"[at])
            at = min(7, at + 1) if rng.random() < 0.6 else int(8 * rng.random() ** 2)
        out.append(words)
    return out


def test_a_bigram_model_worked_by_hand() -> None:
    """Too few counts of counts: discounts are 0.5, 1 and 1.5.

    Different words before a, b, c: one each; before the end two. Of the five, 2.5 is freed
    and shared by the five words that can be predicted: 0.1 each.
    """
    model = estimate(WORDS, count(TINY, WORDS, 2))
    assert probability(model, "a") == pytest.approx(0.5 / 5 + 0.1)
    assert probability(model, "</s>") == pytest.approx((2 - 1) / 5 + 0.1)
    assert probability(model, "<unk>") == pytest.approx(0.1)
    # after "a": b twice, c once; freed (1 + 0.5) / 3
    assert probability(model, "a", "b") == pytest.approx((2 - 1) / 3 + 0.5 * 0.2)
    assert probability(model, "a", "c") == pytest.approx((1 - 0.5) / 3 + 0.5 * 0.2)
    assert probability(model, "a", "a") == pytest.approx(0.5 * 0.2)  # never seen: backs off
    assert probability(model, "<s>", "a") == pytest.approx((3 - 1.5) / 3 + 0.5 * 0.2)


def test_discounts_come_from_counts_of_counts() -> None:
    counts = np.repeat([1.0, 2.0, 3.0, 4.0], [8, 4, 2, 1])
    y = 8 / (8 + 2 * 4)
    expected = [0, 1 - 2 * y * 4 / 8, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2]
    assert discount(counts) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_sum_to_one_after_every_history(order: int) -> None:
    words = (*SPECIAL, *"abcdefgx")  # h is unknown, x never seen
    model = estimate(words, count(babble(order), words, order))
    assert float(np.exp(model.orders[0].log_probs[1:]).sum()) == pytest.approx(1)
    for length in range(1, order):
        histories = model.orders[length - 1].keys
        ends = histories % model.base == 1
        assert sums(model, histories[~ends], length) == pytest.approx(1)


def test_counts_do_not_cross_sentences() -> None:
    tables = count([["a"], ["b"]], WORDS, 3)
    assert tables[1].keys.tolist() == sorted(
        join_ids(gram, len(WORDS)) for gram in [(0, 3), (3, 1), (0, 4), (4, 1)]
    )
    assert tables[2].counts.tolist() == [1, 1]


def test_a_better_model_has_a_lower_cost() -> None:
    words = (*SPECIAL, *"abcdefgh")
    train, test = babble(1), babble(2)
    costs = []
    for order in (1, 2):
        model = estimate(words, count(train, words, order))
        costs.append(-sum(model.sentence_scores(s).sum() for s in test))
    assert costs[1] < 0.8 * costs[0]


def test_the_vocabulary_is_the_most_frequent_known_words() -> None:
    sentences = [["b", "a", "z"], ["a", "z"], ["c"]]
    assert choose_words(sentences, size=2, known=frozenset("abc")) == (*SPECIAL, "a", "b")
    assert choose_words(sentences, size=9, minimum=2, known=frozenset("abc")) == (*SPECIAL, "a")


def test_the_start_is_never_predicted() -> None:
    model = estimate(WORDS, count(TINY, WORDS, 2))
    assert model.score(np.array([START]), 1)[0] < -50


def test_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="no text"):
        count([], WORDS, 2)


def test_too_many_words_for_the_keys_are_refused() -> None:
    with pytest.raises(ConfigError, match="too many"):
        count(TINY, tuple(str(i) for i in range(3000)), 6)


def test_counting_in_batches_is_counting_at_once() -> None:
    words = (*SPECIAL, *"abcdefgh")
    stream = Corpus.of(babble(4)).encode(words)
    for once, batched in zip(
        count(babble(4), words, 3), count_stream(stream, len(words), 3, batch=50), strict=True
    ):
        assert np.array_equal(once.keys, batched.keys)
        assert np.array_equal(once.counts, batched.counts)


def test_rare_ngrams_leave_their_mass_to_shorter_ones() -> None:
    words = (*SPECIAL, *"abcdefgh")
    tables = count(babble(5), words, 3)
    whole, cut = estimate(words, tables), estimate(words, tables, (1, 2, 3))
    for length, least in ((2, 2), (3, 3)):
        table = tables[length - 1]
        assert np.array_equal(cut.orders[length - 1].keys, table.keys[table.counts >= least])
        histories = cut.orders[length - 2].keys
        histories = histories[histories % cut.base != 1]
        assert sums(cut, histories, length - 1) == pytest.approx(1, abs=1e-6)
    assert whole.sizes > cut.sizes


def test_minimum_counts_must_not_fall() -> None:
    tables = count(TINY, WORDS, 3)
    for minimum in ((2, 2, 2), (1, 3, 2)):
        with pytest.raises(ConfigError, match="minimum"):
            estimate(WORDS, tables, minimum)
