from __future__ import annotations

from pathlib import Path

import pytest

from streamasr.app.train.classify.report import Confusion

TRUTH = [0, 0, 0, 0, 1, 1, 1, 2]
TAKEN = [0, 0, 0, 1, 1, 1, 0, 1]


def test_figures_are_those_worked_out_by_hand() -> None:
    found = Confusion.count(("a", "b", "c"), TRUTH, TAKEN)
    assert found.counts.tolist() == [[3, 1, 0], [1, 2, 0], [0, 1, 0]]
    assert found.accuracy == 5 / 8
    assert found.precision.tolist() == [3 / 4, 2 / 4, 0.0]
    assert found.recall.tolist() == [3 / 4, 2 / 3, 0.0]
    figures = found.figures()
    assert figures["recall"] == pytest.approx((3 / 4 + 2 / 3) / 3, abs=1e-5)
    assert figures["classes"]["b"] == {"examples": 3, "precision": 0.5, "recall": 0.66667}


def test_a_class_that_was_not_measured_does_not_count() -> None:
    found = Confusion.count(("a", "b", "c"), TRUTH[:4], TAKEN[:4]).figures()
    assert (found["accuracy"], found["recall"], found["precision"]) == (0.75, 0.75, 1.0)
    assert Confusion.count(("a", "b"), [], []).figures()["accuracy"] == 0.0


def test_confusions_add_up() -> None:
    parts = (Confusion.count("abc", TRUTH[at::2], TAKEN[at::2]) for at in (0, 1))
    first, second = parts
    assert (first + second).counts.tolist() == Confusion.count("abc", TRUTH, TAKEN).counts.tolist()


def test_the_picture_is_one(tmp_path: Path) -> None:
    from matplotlib import image

    Confusion.count(("a", "b", "c"), TRUTH, TAKEN).draw(tmp_path / "c.png")
    pixels = image.imread(tmp_path / "c.png")
    assert min(pixels.shape[:2]) > 300
    assert pixels[..., :3].std() > 0.05
