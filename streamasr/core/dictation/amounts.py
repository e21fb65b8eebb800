"""Spoken amounts as digits: numbers with signs and decimals, money, units.

money("twenty dollars and five cents".split(), 0)       # ("$20.05", 5)
with_unit("sixty miles per hour".split(), 0)            # ("60 mph", 4)
"""

from __future__ import annotations

from collections.abc import Sequence

from streamasr.core.dictation.cardinals import DIGITS, SCALES, TENS, UNITS, below_hundred, number

MONEY = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€", "yen": "¥"}
POUNDS = frozenset({"pound", "pounds"})
"""Money only where what follows says so; else they may be weight."""
CENTS = frozenset({"cent", "cents"})
PENCE = frozenset({"pence", "penny"})
UNITS_WRITTEN = {
    "percent": "%", "degrees": "°",
    "kilometers": " km", "kilometres": " km", "meters": " m", "metres": " m",
    "centimeters": " cm", "centimetres": " cm", "millimeters": " mm", "millimetres": " mm",
    "kilograms": " kg", "kilos": " kg", "grams": " g", "milligrams": " mg",
    "liters": " L", "litres": " L", "milliliters": " mL", "millilitres": " mL",
    "kilobytes": " KB", "megabytes": " MB", "gigabytes": " GB", "terabytes": " TB",
    "hertz": " Hz", "kilohertz": " kHz", "megahertz": " MHz", "gigahertz": " GHz",
    "volts": " V", "watts": " W", "kilowatts": " kW", "milliseconds": " ms",
}  # fmt: skip
SPEEDS = {
    ("kilometers", "hour"): " km/h", ("kilometres", "hour"): " km/h", ("miles", "hour"): " mph",
    ("meters", "second"): " m/s", ("metres", "second"): " m/s",
    ("kilobytes", "second"): " KB/s", ("megabytes", "second"): " MB/s",
    ("gigabytes", "second"): " GB/s",
}  # fmt: skip
POWERS = {"square": "²", "cubic": "³"}
LENGTHS = frozenset(unit for unit in UNITS_WRITTEN if unit.endswith(("meters", "metres")))
MOVING = frozenset(unit for unit, _ in SPEEDS)
"""Units that "per" may follow."""

Written = tuple[str, int]
"""What is written, and the place of the word after it."""


def word(words: Sequence[str], at: int) -> str:
    """The word at a place; empty where there is none."""
    return words[at] if 0 <= at < len(words) else ""


def amount(words: Sequence[str], at: int) -> tuple[str, int, bool] | None:
    """A number with its sign and decimals; whether it must be digits whatever follows."""
    start = at + (word(words, at) in ("minus", "negative"))
    if word(words, start) == "a" and word(words, at - 1) == "half":
        return None  # half a million
    found = number(words, start)
    if found is None:
        return None
    value, end = found
    decimals, end = _decimals(words, end)
    is_half = tuple(words[end : end + 3]) == ("and", "a", "half")
    if is_half and not decimals:
        decimals, end = "5", end + 3
    sign = "-" * (start - at)
    if decimals and (scale := word(words, end)) in SCALES:
        return f"{sign}{value}.{decimals} {scale}", end + 1, True
    if is_half and value < 10:  # two and a half hours
        return f"{sign}{value}.{decimals}", end, False
    text = f"{value}.{decimals}" if decimals else _grouped(value)
    return sign + text, end, bool(decimals) or start > at or value >= 10


def _decimals(words: Sequence[str], at: int) -> tuple[str, int]:
    """The digits after "point" at a place, and the place after them."""
    if word(words, at) != "point":
        return "", at
    decimals, after = "", at + 1
    while (digit := word(words, after)) in DIGITS or digit == "oh":
        decimals += DIGITS.get(digit, "0")
        after += 1
    if not decimals and (rest := below_hundred(words, after)) and rest[0] >= 10:
        decimals, after = str(rest[0]), rest[1]
    return (decimals, after) if decimals else ("", at)


def money(words: Sequence[str], at: int) -> Written | None:
    """Dollars, euros, yen, cents; pounds where they cannot be weight."""
    if word(words, at) == "a" and word(words, at + 1) in {*MONEY, *POUNDS}:
        text, end = "1", at + 1
        if _change(words, end + 1) is None:
            return None  # a dollar
    elif found := amount(words, at):
        text, end, _ = found
    else:
        return None
    unit = word(words, end)
    if unit in CENTS and text.isdecimal():
        return f"{text}¢", end + 1
    if unit in PENCE and text.isdecimal():
        return f"{text}p", end + 1
    change = _change(words, end + 1) if text.lstrip("-").isdecimal() else None
    if unit in POUNDS:
        if word(words, end + 1) == "sterling":
            return _signed("£", text), end + 2
        symbol = "£" if change else ""
    else:
        symbol = MONEY.get(unit, "")
    if not symbol:
        return None
    if change:
        return _signed(symbol, f"{text}.{change[0]:02d}"), change[1]
    return _signed(symbol, text), end + 1


def _change(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """Cents after whole money: "and five cents", or just "fifty"."""
    has_and = word(words, at) == "and"
    found = below_hundred(words, at + has_and)
    if found is None:
        return None
    value, end = found
    after = word(words, end)
    if after in CENTS | PENCE:
        return value, end + 1
    goes_on = after in {"hundred", "point", *SCALES, *UNITS, *TENS, *UNITS_WRITTEN, *MONEY}
    return None if has_and or value < 10 or goes_on else (value, end)


def _signed(symbol: str, text: str) -> str:
    sign = "-" if text.startswith("-") else ""
    return f"{sign}{symbol}{text.removeprefix('-')}"


def with_unit(words: Sequence[str], at: int) -> Written | None:
    """An amount of something that is measured."""
    if word(words, at) == "point" and word(words, at - 1) not in DIGITS:
        decimals, end = _decimals(words, at)
        text = f"0.{decimals}"
        if not decimals:
            return None
    elif found := amount(words, at):
        text, end, _ = found
    else:
        return None
    unit = _unit(words, end)
    return (text + unit[0], unit[1]) if unit else None


def _unit(words: Sequence[str], at: int) -> Written | None:
    name = word(words, at)
    if name in POWERS and (length := word(words, at + 1)) in LENGTHS:
        return UNITS_WRITTEN[length] + POWERS[name], at + 2
    if word(words, at + 1) == "per" and (speed := SPEEDS.get((name, word(words, at + 2)))):
        return speed, at + 3
    if name == "per" and word(words, at + 1) == "cent":
        return "%", at + 2
    scale = {"celsius": "C", "fahrenheit": "F"}.get(word(words, at + 1), "")
    if name == "degrees" and scale:
        return f" °{scale}", at + 2
    return (UNITS_WRITTEN[name], at + 1) if name in UNITS_WRITTEN else None


def _grouped(value: int) -> str:
    for name in ("trillion", "billion", "million"):
        if value and value % SCALES[name] == 0 and value // SCALES[name] < 1000:
            return f"{value // SCALES[name]} {name}"
    return f"{value:,}" if value >= 10_000 else str(value)
