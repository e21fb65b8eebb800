from collections import Counter

import numpy as np

from streamasr.app.train.punctuation.passages import IGNORED, Coded, Noise, hear, passages
from streamasr.app.train.punctuation.text import read_words
from streamasr.core.punctuation.tokens import NUMBER, PAUSE, SPOKEN, features

LINES = ["Well, Mr. Bennet was twenty.", "Was he not?", "He said so, and I saw him."] * 300
TEXT = Coded.of(read_words(LINES))
EXACT = Noise(changed=0, dropped=0, digits=0)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def places(ids: np.ndarray, token: str) -> np.ndarray:
    return (ids == np.array(features(token))).all(1)


def test_text_without_noise_is_heard_word_for_word() -> None:
    heard = hear(TEXT, rng(), None)
    assert (heard.ids == TEXT.ids).all()
    assert (heard.marks == TEXT.marks).all()
    assert heard.words.all()


def test_pauses_follow_sentences_more_than_words_and_are_no_targets() -> None:
    heard = hear(TEXT, rng(), EXACT, speakers=(0, 1, 0), naming=0)
    pauses = places(heard.ids, PAUSE)
    before = Counter(heard.marks[:-1][pauses[1:]].tolist())
    marks = Counter(TEXT.marks.tolist())
    shares = [before[mark] / marks[mark] for mark in range(4)]
    assert 0 < shares[0] < 0.05 < shares[1] < 0.4 < 0.6 < shares[2] < 0.9
    assert (heard.marks[pauses] == IGNORED).all()
    assert (heard.ids[~pauses] == TEXT.ids).all()
    assert (heard.words == ~pauses).all()


def test_a_named_mark_is_a_token_and_nothing_is_to_be_guessed_before_it() -> None:
    heard = hear(TEXT, rng(), EXACT, speakers=(1, 0, 0), naming=1)
    for mark, token in SPOKEN.items():
        named = places(heard.ids, token)
        assert named.sum() > 0.8 * (TEXT.marks == mark).sum()
        assert (heard.marks[:-1][named[1:]] == 0).all()
        assert (heard.cases[named] == IGNORED).all()


def test_noise_changes_words_drops_some_and_reads_numbers_as_digits() -> None:
    heard = hear(TEXT, rng(), Noise(0.1, 0.05, 1.0), speakers=(1, 0, 0), naming=0)
    assert 0.9 < len(heard.ids) / len(TEXT.ids) < 0.99
    assert places(heard.ids, NUMBER).sum() > 200
    assert (heard.marks == 2).sum() == (TEXT.marks == 2).sum()  # only words without are dropped


def test_loose_sentences_are_shuffled_as_wholes() -> None:
    other = TEXT.shuffled(rng())
    assert Counter(map(tuple, other.ids.tolist())) == Counter(map(tuple, TEXT.ids.tolist()))
    sizes = Counter(np.diff(TEXT.starts).tolist())
    assert set(np.diff(other.starts).tolist()) == set(sizes)
    assert (other.cases[other.starts] == IGNORED).all()
    assert (other.ids != TEXT.ids).any()


def test_an_epoch_is_most_of_the_text_once_in_stretches() -> None:
    batches = list(passages([TEXT], [TEXT], batch=4, length=20, rng=rng(), noise=None))
    assert {batch.ids.shape for batch in batches} == {(20, 4, 4)}
    assert {batch.marks.shape for batch in batches} == {(20, 4)}
    assert 0.9 < 80 * len(batches) / (2 * len(TEXT.ids)) <= 1
    again = list(passages([TEXT], [TEXT], batch=4, length=20, rng=rng(), noise=None))
    assert all((a.ids == b.ids).all() for a, b in zip(batches, again, strict=True))
