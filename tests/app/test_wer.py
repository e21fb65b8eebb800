"""Error counts by hand, against jiwer, and the interval."""

import random

import jiwer
import pytest

from streamasr.app.wer import Errors, bootstrap_interval, count_errors


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("the cat sat", "the cat sat", Errors(0, 0, 0, 3)),
        ("the cat sat", "the bat sat", Errors(1, 0, 0, 3)),
        ("the cat sat", "the sat", Errors(0, 1, 0, 3)),
        ("the cat sat", "the big cat sat", Errors(0, 0, 1, 3)),
        ("the cat sat", "", Errors(0, 3, 0, 3)),
        ("", "a b", Errors(0, 0, 2, 0)),
        ("a b c d", "b c d e", Errors(0, 1, 1, 4)),
    ],
)
def test_counts_worked_by_hand(reference: str, hypothesis: str, expected: Errors) -> None:
    assert count_errors(reference.split(), hypothesis.split()) == expected


@pytest.mark.parametrize("seed", range(20))
def test_totals_equal_jiwers(seed: int) -> None:
    rng = random.Random(seed)
    reference = [rng.choice("abcde") for _ in range(rng.randint(1, 30))]
    hypothesis = [rng.choice("abcde") for _ in range(rng.randint(1, 30))]
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    ours = count_errors(reference, hypothesis)
    assert ours.total == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.rate == pytest.approx(theirs.wer)


def test_errors_add_up() -> None:
    total = Errors(1, 2, 3, 10) + Errors(1, 0, 0, 10)
    assert total == Errors(2, 2, 3, 20)
    assert total.rate == 0.35


def test_the_interval_surrounds_the_rate_and_narrows_with_data() -> None:
    rng = random.Random(0)
    few = [Errors(rng.randint(0, 4), 0, 0, 10) for _ in range(30)]
    low, high = bootstrap_interval(few)
    rate = sum(few, Errors()).rate
    assert low < rate < high
    narrow = bootstrap_interval(few * 30)
    assert narrow[1] - narrow[0] < (high - low) / 2
