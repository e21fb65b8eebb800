"""Units join append-only, and a unit list is checked when it is read."""

from __future__ import annotations

from random import Random

import pytest

from streamasr.core.units import Units
from streamasr.errors import BundleError

UNITS = Units(("<blank>", "▁he", "llo", "▁", "'s", "a", "▁a"))


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([], ""),
        ([3], ""),
        ([1, 2], "hello"),
        ([1, 2, 3], "hello"),
        ([1, 2, 3, 5, 4], "hello a's"),
        ([0, 1, 0, 2], "hello"),
        ([5, 1], "a he"),
        ([3, 3, 6], "a"),
    ],
)
def test_text(ids: list[int], text: str) -> None:
    assert UNITS.text(ids) == text


@pytest.mark.parametrize("seed", range(20))
def test_text_only_grows_and_is_made_of_its_words(seed: int) -> None:
    rng = Random(seed)
    ids: list[int] = []
    text = ""
    for _ in range(30):
        ids.append(rng.randrange(1, len(UNITS)))
        longer = UNITS.text(ids)
        assert longer.startswith(text)
        text = longer
        words = [UNITS.text(ids[i] for i in group) for group in UNITS.words(ids)]
        assert " ".join(words) == text


def test_a_lone_word_start_belongs_to_the_word_it_opens() -> None:
    assert UNITS.words([1, 2, 3, 5]) == [[0, 1], [2, 3]]
    assert UNITS.words([1, 3]) == [[0]]
    assert UNITS.words([]) == []


def test_a_list_survives_its_file() -> None:
    assert Units.parse(UNITS.dump()) == UNITS
    assert len(UNITS) == 7


@pytest.mark.parametrize(
    "text", ["", "<blank>\n", "a\n<blank>\n", "<blank>\na\na\n", "<blank>\n\na\n"]
)
def test_a_list_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        Units.parse(text)
