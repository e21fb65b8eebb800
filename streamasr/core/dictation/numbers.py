"""Spoken numbers as digits: amounts, dates, times of day, money, units.

    digits("call me at half past three".split())            # [..., "3:30"]
    digits("twenty dollars and five cents".split())         # ["$20.05"]

Numbers below ten stay words where nothing says what they count. Rules of our own: of the
libraries that were looked at, text2num knows numbers alone, and those that know dates and
money need pynini, 700 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamasr.core.dictation.cardinals import (
    DIGITS,
    NUMBER_WORDS,
    SCALES,
    below_hundred,
    digit_row,
    number,
    ordinal,
    suffix,
    year,
)

__all__ = ["DIGITS", "digits", "unfinished_number"]

_MONTHS = """january february march april may june july august september october november
december"""
MONTHS = {month: month.capitalize() for month in _MONTHS.split()}
MONEY = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€", "yen": "¥"}
CENTS = frozenset({"cent", "cents"})
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
HALVES = {"a.m.": "a.m.", "p.m.": "p.m.", "am": "a.m.", "pm": "p.m."}
_BEFORE_TIMES = "at by until till from before after around to"
_PRONOUNS = "i you he she it we they one that who which this"
BEFORE_TIMES, PRONOUNS = frozenset(_BEFORE_TIMES.split()), frozenset(_PRONOUNS.split())

INSIDE = frozenset({"and", "of", "to", "past", "oh", "p", "m"})
"""Words that numbers, dates and times hold, and never begin with."""
GOING_ON = (
    NUMBER_WORDS | INSIDE | set(MONTHS) | set(MONEY) | {"a", "the", "half", "quarter", "degrees"}
)

Written = tuple[str, int]
"""What is written, and the place of the word after it."""


def digits(words: Sequence[str]) -> list[str]:
    """The words with their numbers as digits."""
    out: list[str] = []
    at = 0
    while at < len(words):
        for rule in _RULES:
            if found := rule(words, at):
                text, at = found
                out.append(text)
                break
        else:
            out.append(words[at])
            at += 1
    return out


def unfinished_number(words: Sequence[str]) -> int:
    """How many words at the end may go on as a number, a date or a time."""
    start = len(words)
    while start and words[start - 1] in GOING_ON:
        start -= 1
    while start < len(words) and words[start] in INSIDE:
        start += 1
    return len(words) - start


def _word(words: Sequence[str], at: int) -> str:
    return words[at] if at < len(words) else ""


def _grouped(value: int) -> str:
    for name in ("trillion", "billion", "million"):
        if value and value % SCALES[name] == 0 and value // SCALES[name] < 1000:
            return f"{value // SCALES[name]} {name}"
    return f"{value:,}" if value >= 10_000 else str(value)


def _amount(words: Sequence[str], at: int) -> tuple[str, int, bool] | None:
    """A number with its sign and decimals; whether it must be digits whatever follows."""
    start = at + (_word(words, at) in ("minus", "negative"))
    found = number(words, start)
    if found is None:
        return None
    value, end = found
    decimals = ""
    if _word(words, end) == "point":
        after = end + 1
        while (digit := _word(words, after)) in DIGITS or digit == "oh":
            decimals += DIGITS.get(digit, "0")
            after += 1
        if not decimals and (rest := below_hundred(words, after)) and rest[0] >= 10:
            decimals, after = str(rest[0]), rest[1]
        if decimals:
            end = after
    if decimals and _word(words, end) in SCALES:
        scale = words[end]
        return f"{'-' * (start - at)}{value}.{decimals} {scale}", end + 1, True
    text = f"{value}.{decimals}" if decimals else _grouped(value)
    return "-" * (start - at) + text, end, bool(decimals) or start > at or value >= 10


def _money(words: Sequence[str], at: int) -> Written | None:
    amount = _amount(words, at)
    if amount is None:
        return None
    text, end, _ = amount
    unit = _word(words, end)
    if unit in CENTS and text.isdecimal():
        return f"{text}¢", end + 1
    if unit not in MONEY:
        return None
    end += 1
    cents = number(words, end + (_word(words, end) == "and"))
    if cents and _word(words, cents[1]) in CENTS and cents[0] < 100 and "." not in text:
        text, end = f"{text}.{cents[0]:02d}", cents[1] + 1
    sign = "-" if text.startswith("-") else ""
    return f"{sign}{MONEY[unit]}{text.removeprefix('-')}", end


def _with_unit(words: Sequence[str], at: int) -> Written | None:
    amount = _amount(words, at)
    if amount is None or (unit := UNITS_WRITTEN.get(_word(words, amount[1]))) is None:
        return None
    text, end, _ = amount
    scale = {"celsius": "C", "fahrenheit": "F"}.get(_word(words, end + 1), "")
    if unit == "°" and scale:
        return f"{text} °{scale}", end + 2
    return text + unit, end + 1


def _half(words: Sequence[str], at: int) -> tuple[str, int]:
    """ "p.m." where a half of the day is named at a word."""
    word = _word(words, at)
    if word in HALVES:
        return " " + HALVES[word], at + 1
    if word in ("a", "p") and _word(words, at + 1) == "m":
        return f" {word}.m.", at + 2
    return "", at


def _time(words: Sequence[str], at: int) -> Written | None:
    told = _told_time(words, at)
    if told is not None:
        return told
    hour = below_hundred(words, at)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    end = hour[1]
    minute = below_hundred(words, end + (_word(words, end) == "oh"))
    if minute and not (_word(words, end) == "oh" and minute[0] >= 10):
        is_full = 10 <= minute[0] <= 59 or _word(words, end) == "oh"
    else:
        is_full = False
    if minute and is_full:
        half, after = _half(words, minute[1])
        if half or (at and words[at - 1] in BEFORE_TIMES):
            return f"{hour[0]}:{minute[0]:02d}{half}", after
    if _word(words, end) == "o'clock":
        return f"{hour[0]} o'clock", end + 1
    half, after = _half(words, end)
    return (f"{hour[0]}{half}", after) if half else None


def _told_time(words: Sequence[str], at: int) -> Written | None:
    """Such as half past three, or a quarter to four."""
    start = at + (_word(words, at) == "a" and _word(words, at + 1) == "quarter")
    minutes = {"half": 30, "quarter": 15}.get(_word(words, start))
    side = _word(words, start + 1)
    if minutes is None or side not in ("past", "to") or (side == "to" and minutes == 30):
        return None
    hour = below_hundred(words, start + 2)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    half, end = _half(words, hour[1])
    if side == "past":
        return f"{hour[0]}:{minutes}{half}", end
    return f"{(hour[0] - 2) % 12 + 1}:45{half}", end


def _date(words: Sequence[str], at: int) -> Written | None:
    month = MONTHS.get(_word(words, at))
    if month:
        is_word = words[at] in ("may", "march")  # "may one ask", "march ten miles"
        if is_word and at and words[at - 1] in PRONOUNS:
            return None
        start = at + 1 + (_word(words, at + 1) == "the")
        day = ordinal(words, start) or (None if is_word else below_hundred(words, start))
        if day and 1 <= day[0] <= 31:
            named = year(words, day[1])
            return (
                (f"{month} {day[0]}, {named[0]}", named[1])
                if named
                else (
                    f"{month} {day[0]}",
                    day[1],
                )
            )
        named = None if is_word else year(words, at + 1)
        return (f"{month} {named[0]}", named[1]) if named else None
    start = at + (_word(words, at) == "the")
    day = ordinal(words, start)
    if day is None or not 1 <= day[0] <= 31 or _word(words, day[1]) != "of":
        return None
    month = MONTHS.get(_word(words, day[1] + 1))
    if month is None:
        return None
    named = year(words, day[1] + 2)
    text = f"{day[0]} {month}"
    return (f"{text} {named[0]}", named[1]) if named else (text, day[1] + 2)


def _row(words: Sequence[str], at: int) -> Written | None:
    return digit_row(words, at)


def _year(words: Sequence[str], at: int) -> Written | None:
    found = year(words, at)
    return (str(found[0]), found[1]) if found and found[0] < 2100 else None


def _ordinal(words: Sequence[str], at: int) -> Written | None:
    found = ordinal(words, at)
    if found is None or found[0] < 10:
        return None
    return f"{found[0]}{suffix(found[0])}", found[1]


def _plain(words: Sequence[str], at: int) -> Written | None:
    amount = _amount(words, at)
    return amount[:2] if amount and amount[2] else None


_RULES: tuple[Callable[[Sequence[str], int], Written | None], ...] = (
    _money, _with_unit, _date, _time, _row, _year, _ordinal, _plain,
)  # fmt: skip
