import pytest

from streamasr.core.dictation.moments import date, decade, time


@pytest.mark.parametrize(
    ("said", "at", "found"),
    [
        ("one past one", 0, ("1:01", 3)),
        ("twenty nine minutes past twelve", 0, ("12:29", 5)),
        ("half to three", 0, None),
        ("a quarter to one", 0, ("12:45", 4)),
        ("ten past thirteen", 0, None),
        ("thirty past one", 0, None),
        ("five to six", 0, None),
        ("by five to six", 1, ("5:55", 4)),
        ("from five to six", 1, None),
        ("eleven oh five", 0, None),
        ("from eleven oh five", 1, ("11:05", 4)),
        ("at five thousand", 1, None),
        ("twelve thirty hundred hours", 0, None),
        ("", 0, None),
    ],
)
def test_times(said: str, at: int, found: object) -> None:
    assert time(said.split(), at) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("june nineteen ninety", ("June 1990", 3)),
        ("june ten twenty twenty", ("June 10, 2020", 4)),
        ("june ten", ("June 10", 2)),
        ("the thirty second of june", None),
        ("the second of never", None),
        ("december", None),
        ("december two thousand and one", ("December 2001", 5)),
    ],
)
def test_dates(said: str, found: object) -> None:
    assert date(said.split(), 0) == found


def test_decades_need_a_century() -> None:
    assert decade(["eighteen", "nineties"], 0) == ("1890s", 2)
    assert decade(["the", "nineties"], 0) is None
    assert decade(["five", "nineties"], 0) is None
