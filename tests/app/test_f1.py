import pytest

from streamasr.app.f1 import Score, f1


def test_scores_are_those_of_the_label_and_negative_targets_do_not_count() -> None:
    score = f1(said=[1, 1, 0, 2, 1], wanted=[1, 0, 1, 1, -1], label=1)
    assert score == Score(right=1, said=2, wanted=3)
    assert score.precision == 0.5
    assert score.recall == pytest.approx(1 / 3)
    assert score.f1 == pytest.approx(0.4)


def test_a_label_that_nobody_said_or_wanted_scores_nothing() -> None:
    score = f1([0], [0], 3)
    assert (score.precision, score.recall, score.f1) == (0, 0, 0)
