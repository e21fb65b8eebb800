import pytest

from streamasr.core.dictation.cardinals import (
    SCALES,
    TENS,
    UNITS,
    digit_row,
    number,
    ordinal,
    suffix,
    year,
)

TENS_NAMES = {value: word for word, value in TENS.items() if word != "fourty"}
UNIT_NAMES = {value: word for word, value in UNITS.items()}


def spoken(value: int) -> list[str]:
    """A number as it is said, written by another rule than the one under test."""
    for name, scale in sorted(SCALES.items(), key=lambda item: -item[1]):
        if value >= scale:
            rest = spoken(value % scale) if value % scale else []
            return [*spoken(value // scale), name, *rest]
    if value >= 100:
        return [UNIT_NAMES[value // 100], "hundred", *(spoken(value % 100) if value % 100 else [])]
    if value >= 20:
        return [TENS_NAMES[value - value % 10], *([UNIT_NAMES[value % 10]] if value % 10 else [])]
    return [UNIT_NAMES[value]]


def test_every_number_is_read_as_it_was_said() -> None:
    values = [*range(2000), *range(2000, 10**6, 997), *range(10**6, 10**10, 123_456_789)]
    for value in values:
        words = spoken(value)
        assert number([*words, "cats"], 0) == (value, len(words)), words


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("a hundred", 100),
        ("one hundred and five", 105),
        ("a thousand", 1000),
        ("two thousand and six", 2006),
    ],
)
def test_ways_that_people_say_numbers(said: str, value: int) -> None:
    assert number(said.split(), 0) == (value, len(said.split()))


def test_two_numbers_are_not_one() -> None:
    assert number(["five", "six"], 0) == (5, 1)
    assert number(["cats"], 0) is None
    assert number(["a", "cat"], 0) is None


def test_years_and_ordinals() -> None:
    assert year(["nineteen", "eighty", "four"], 0) == (1984, 3)
    assert year(["nineteen", "oh", "five"], 0) == (1905, 3)
    assert year(["two", "thousand", "six"], 0) == (2006, 3)
    assert ordinal(["twenty", "first"], 0) == (21, 2)
    assert ordinal(["fifth"], 0) == (5, 1)
    assert [suffix(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "st", "nd", "rd", "th", "th", "th", "th", "st", "th"
    ]  # fmt: skip


def test_a_row_of_digits_has_three_at_least() -> None:
    assert digit_row(["four", "oh", "five"], 0) == ("405", 3)
    assert digit_row(["four", "five"], 0) is None
    assert digit_row(["oh", "four", "five"], 0) is None
