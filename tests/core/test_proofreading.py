from __future__ import annotations

import pytest

from streamasr.core.proofreading import COMMON, Proofreader

WORDS = ["people", "the", "making", "comfort", "pope", "popular", "see", "sea"]


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("pople", "people"),
        ("makeing", "making"),
        ("compfort", "comfort"),
        ("making", "making"),
        ("", ""),
        ("zzz", "zzz"),
        ("te", "the"),
        ("xthe", "xthe"),
    ],
)
def test_the_nearest_listed_word(heard: str, meant: str) -> None:
    assert Proofreader(WORDS).mend(heard) == meant


def test_of_two_as_near_the_more_frequent() -> None:
    assert Proofreader(["see", "sea"]).mend("sew") == "see"
    assert Proofreader(["sea", "see"]).mend("sew") == "sea"


def test_a_frequent_word_may_be_a_little_further_away() -> None:
    filling = [f"q{number}" for number in range(50_000)]
    assert Proofreader(["strange", *filling, "straiht"]).mend("strainge") == "strange"


def test_only_words_that_begin_with_what_was_shown() -> None:
    proofreader = Proofreader(["people", "popular"])
    assert proofreader.mend("popul") == "popular"
    assert proofreader.mend("popple") == "people"
    assert proofreader.mend("popple", shown="popp") == "popple"
    assert proofreader.mend("populr", shown="pop") == "popular"


def test_short_words_change_little() -> None:
    assert Proofreader(["table"]).mend("ta") == "ta"


def test_common_words() -> None:
    proofreader = Proofreader(["the", "the", *(f"x{n}" for n in range(COMMON))])
    assert proofreader.is_common("the")
    assert proofreader.is_common(f"x{COMMON - 2}")
    assert not proofreader.is_common(f"x{COMMON - 1}")
    assert not proofreader.is_common("th")
    assert len(proofreader) == COMMON + 1
