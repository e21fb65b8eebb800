import numpy as np
import pytest

from streamasr.app.lm.spelled import DIGITS, MONTHS, number, spelled_sentences


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "zero"),
        (7, "seven"),
        (13, "thirteen"),
        (20, "twenty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (1_000, "one thousand"),
        (21_305, "twenty one thousand three hundred five"),
        (999_999, "nine hundred ninety nine thousand nine hundred ninety nine"),
    ],
)
def test_numbers_are_said_as_people_say_them(value: int, said: str) -> None:
    assert " ".join(number(value)) == said


def test_sentences_spell_the_words_given_and_say_digits_and_dates() -> None:
    sentences = list(spelled_sentences(["brown", "o'hara"], 2000, np.random.default_rng(0)))
    assert len(sentences) == 2000
    said = {" ".join(sentence) for sentence in sentences}
    assert {"b r o w n", "o h a r a"} <= said
    assert any(s.split()[0] in MONTHS for s in said)
    assert any(len(s.split()) > 3 and set(s.split()) <= set(DIGITS) for s in said)
    assert all(word.isalpha() for s in sentences for word in s)
    assert min(map(len, sentences)) >= 1


def test_the_same_seed_gives_the_same_sentences() -> None:
    first, second = (list(spelled_sentences(["a"], 50, np.random.default_rng(3))) for _ in "ab")
    assert first == second
