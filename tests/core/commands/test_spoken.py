from __future__ import annotations

import pytest

from streamasr.core.commands.spoken import (
    BIGGEST,
    duration_s,
    integer_forms,
    number_forms,
    ordinal_form,
    time_of_day,
)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "zero"), (7, "seven"), (13, "thirteen"), (20, "twenty"), (99, "ninety nine"),
        (100, "a hundred"), (105, "one hundred and five"), (342, "three hundred forty two"),
        (1100, "one thousand one hundred"), (21.5, "twenty one point five"),
        (21.5, "twenty one and a half"), (0.5, "half"), (-2, "minus two"), (2.1, "two point one"),
    ],
)  # fmt: skip
def test_numbers_are_said_as_people_do(value: float, said: str) -> None:
    assert tuple(said.split()) in number_forms(value)


def test_no_two_numbers_are_said_alike() -> None:
    said: dict[tuple[str, ...], int] = {}
    for value in [*range(2000), 9999, 10_000, 123_456, BIGGEST]:
        for form in integer_forms(value):
            assert said.setdefault(form, value) == value


@pytest.mark.parametrize(
    ("value", "said"), [(1, "first"), (12, "twelfth"), (20, "twentieth"), (34, "thirty fourth")]
)
def test_ordinals(value: int, said: str) -> None:
    assert " ".join(ordinal_form(value)) == said


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("half past seven", "07:30"), ("seven thirty", "07:30"), ("seven oh five", "07:05"),
        ("quarter to eight", "07:45"), ("a quarter past twelve", "12:15"),
        ("seven o'clock p m", "19:00"), ("twelve a m", "00:00"), ("noon", "12:00"),
        ("midnight", "00:00"), ("ten minutes to one in the afternoon", "12:50"),
        ("five to one", "00:55"), ("nine at night", "21:00"), ("one at night", "01:00"),
        ("twenty five after six in the morning", "06:25"),
    ],
)  # fmt: skip
def test_times_of_day(said: str, time: str) -> None:
    assert time_of_day(said.split()) == time


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("two and a half hours", 9000), ("half an hour", 1800), ("an hour and a half", 5400),
        ("ninety minutes", 5400), ("one hour and ten minutes", 4200), ("two days", 172_800),
        ("one and a half minutes", 90), ("five minutes thirty seconds", 330), ("a minute", 60),
        ("three quarters of an hour", 2700), ("a quarter of an hour", 900), ("half a minute", 30),
    ],
)  # fmt: skip
def test_durations(said: str, seconds: int) -> None:
    assert duration_s(said.split()) == seconds
