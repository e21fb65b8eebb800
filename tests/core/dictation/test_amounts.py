import pytest

from streamasr.core.dictation.amounts import amount, money, with_unit


@pytest.mark.parametrize(
    ("said", "at", "found"),
    [
        ("twelve", 0, ("12", 1, True)),
        ("seven", 0, ("7", 1, False)),
        ("minus seven", 0, ("-7", 2, True)),
        ("two point oh five", 0, ("2.05", 4, True)),
        ("two and a half", 0, ("2.5", 4, False)),
        ("two and a half billion", 0, ("2.5 billion", 5, True)),
        ("half a million", 1, None),
        ("a point", 0, None),
        ("", 0, None),
    ],
)
def test_amounts(said: str, at: int, found: object) -> None:
    assert amount(said.split(), at) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("five dollars", ("$5", 2)),
        ("five dollars five", ("$5", 2)),
        ("five dollars fifty", ("$5.50", 3)),
        ("five dollars fifty thousand", ("$5", 2)),
        ("five dollars and fifty", ("$5", 2)),
        ("five dollars and fifty cents", ("$5.50", 5)),
        ("five point five dollars fifty", ("$5.5", 4)),
        ("five pounds", None),
        ("five pounds fifty", ("£5.50", 3)),
        ("a dollar", None),
        ("dollars", None),
    ],
)
def test_money(said: str, found: object) -> None:
    assert money(said.split(), 0) == found


def test_units_of_degrees_and_speeds() -> None:
    assert with_unit(["ten", "degrees", "fahrenheit"], 0) == ("10 °F", 3)
    assert with_unit(["ten", "degrees", "per", "hour"], 0) == ("10°", 2)
    assert with_unit(["two", "point", "five", "percent"], 1) is None  # inside a number
    assert with_unit(["point", "percent"], 0) is None
    assert with_unit(["ten", "square", "miles"], 0) is None
