"""Text as numbers, against the plain way to do the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamasr.app.lm.corpus import Corpus, rank_words
from streamasr.app.lm.sentences import HeldOut
from streamasr.edge.lm.ngram import END, SPECIAL, UNKNOWN
from tests.app.lm.test_estimate import babble

TEXT = [["turn", "on", "the", "light"], ["the", "end"]]


def test_sentences_are_numbered_and_counted(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Turn on the light.\nchapter 3\n\nthe end\n")
    corpus = Corpus.read([tmp_path / "text.txt"])
    assert corpus.sentences == 2
    assert corpus.counts() == {"turn": 1, "on": 1, "the": 2, "light": 1, "end": 1}
    words = (*SPECIAL, "the", "on")
    expected = [UNKNOWN, 4, 3, UNKNOWN, END, 3, UNKNOWN, END]
    assert corpus.encode(words).tolist() == expected


def test_words_are_ranked_by_their_share_of_each_text() -> None:
    parts = [Corpus.of([["a"] * 6, ["b"] * 4]), Corpus.of([["c", "b"]])]
    assert rank_words(parts, [0.5, 0.5]) == ["b", "a", "c"]
    assert rank_words(parts, [0.9, 0.1]) == ["a", "b", "c"]


def test_held_out_text_goes_as_it_does_sentence_by_sentence() -> None:
    text = babble(1, 400)
    held = [" ".join(words) for words in babble(2, 12) if len(words) > 3]
    for shared in (4, 5, 7):
        for margin in (0, 3):
            expected = list(HeldOut(held, shared=shared).filter(text, margin=margin))
            found = Corpus.of(text).without(held, shared=shared, margin=margin)
            same = Corpus.of(expected)
            assert shared == 7 or len(expected) < len(text)
            assert [found.types[i] for i in found.stream] == [same.types[i] for i in same.stream]


def test_text_without_a_shared_run_is_left_alone() -> None:
    corpus = Corpus.of(TEXT)
    assert corpus.without(["good night my dear friend of old"]) is corpus
    assert np.array_equal(corpus.without([]).stream, corpus.stream)


def test_texts_are_joined_in_order() -> None:
    parts = [Corpus.of(TEXT), Corpus.of([["a", "light"]]), Corpus.of(TEXT[1:])]
    joined, same = Corpus.join(parts), Corpus.of([*TEXT, ["a", "light"], TEXT[1]])
    assert joined.types == same.types
    assert np.array_equal(joined.stream, same.stream)
    assert Corpus.join([]).sentences == 0


def test_sentences_run_on() -> None:
    corpus = Corpus.of(babble(1, 400))
    half = corpus.run_on(0.5)
    assert 150 < half.sentences < 250
    assert half.counts() == corpus.counts()
    assert corpus.run_on(1.0).sentences == 1
    assert corpus.run_on(0.0) is corpus
