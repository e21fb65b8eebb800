"""Spoken dates and times of day as digits.

time("ten past six".split(), 0)                         # ("6:10", 3)
date("the third of may".split(), 0)                     # ("3 May", 4)
"""

from __future__ import annotations

from collections.abc import Sequence

from streamasr.core.dictation.amounts import Written, word
from streamasr.core.dictation.cardinals import TENS, below_hundred, number, ordinal, year

_MONTHS = """january february march april may june july august september october november
december"""
MONTHS = {month: month.capitalize() for month in _MONTHS.split()}
HALVES = {"a.m.": "a.m.", "p.m.": "p.m.", "am": "a.m.", "pm": "p.m."}
PARTS = frozenset({"morning", "afternoon", "evening"})
_AT_TIMES = "at by until till before after around"
AT_TIMES = frozenset(_AT_TIMES.split())
BEFORE_TIMES = AT_TIMES | {"from", "to"}
_PRONOUNS = "i you he she it we they one that who which this"
PRONOUNS = frozenset(_PRONOUNS.split())
DECADES = {name[:-1] + "ies": value for name, value in TENS.items()} | {"tens": 10}


def time(words: Sequence[str], at: int) -> Written | None:
    """A time of day: three thirty p m, half past three, at nine in the morning."""
    if told := _told(words, at) or _hundred_hours(words, at):
        return told
    hour = below_hundred(words, at)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    end = hour[1]
    has_oh = word(words, end) == "oh"
    minute = below_hundred(words, end + has_oh)
    if minute and (1 <= minute[0] < 10 if has_oh else 10 <= minute[0] <= 59):
        half, after = _half(words, minute[1])
        if half or word(words, at - 1) in BEFORE_TIMES:
            return f"{hour[0]}:{minute[0]:02d}{half}", after
    if word(words, end) == "o'clock":
        return f"{hour[0]} o'clock", end + 1
    half, after = _half(words, end)
    return (f"{hour[0]}{half}", after) if half else None


def _half(words: Sequence[str], at: int) -> tuple[str, int]:
    """ "p.m." where a half of the day is named at a word, or "in the morning"."""
    name = word(words, at)
    if name in HALVES:
        return " " + HALVES[name], at + 1
    if name in ("a", "p") and word(words, at + 1) == "m":
        return f" {name}.m.", at + 2
    if name == "in" and word(words, at + 1) == "the" and word(words, at + 2) in PARTS:
        return f" in the {words[at + 2]}", at + 3
    return "", at


def _told(words: Sequence[str], at: int) -> Written | None:
    """Such as half past three, a quarter to four, ten past six, at five to seven."""
    start = at + (word(words, at) == "a" and word(words, at + 1) == "quarter")
    minutes = {"half": 30, "quarter": 15}.get(word(words, start))
    is_named = minutes is not None
    side = start + 1
    if minutes is None:
        if (found := below_hundred(words, start)) is None or not 1 <= found[0] < 30:
            return None
        minutes, side = found
        side += word(words, side) in ("minutes", "minute")
    hour = below_hundred(words, side + 1)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    half, end = _half(words, hour[1])
    if word(words, side) == "past":
        return f"{hour[0]}:{minutes:02d}{half}", end
    # "five to six people" is no time
    is_time = is_named or half or word(words, at - 1) in AT_TIMES
    if word(words, side) != "to" or minutes == 30 or not is_time:
        return None
    return f"{(hour[0] - 2) % 12 + 1}:{60 - minutes}{half}", end


def _hundred_hours(words: Sequence[str], at: int) -> Written | None:
    """Such as oh eight hundred hours, and at fifteen hundred hours."""
    has_oh = word(words, at) == "oh"
    found = number(words, at + has_oh)
    if found is None or not (has_oh or word(words, at - 1) in AT_TIMES):
        return None
    value, end = found
    is_hour = word(words, end) == "hours" and words[end - 1] == "hundred" and value <= 2400
    return (f"{value // 100:02d}:00", end + 1) if is_hour else None


def date(words: Sequence[str], at: int) -> Written | None:
    """A day of a month, a month of a year: may the fifth twenty twenty six, the fifth of may."""
    month = MONTHS.get(word(words, at))
    if month:
        return _after_month(words, at, month)
    start = at + (word(words, at) == "the")
    day = ordinal(words, start)
    if day is None or not 1 <= day[0] <= 31 or word(words, day[1]) != "of":
        return None
    month = MONTHS.get(word(words, day[1] + 1))
    if month is None:
        return None
    named = year(words, day[1] + 2)
    text = f"{day[0]} {month}"
    return (f"{text} {named[0]}", named[1]) if named else (text, day[1] + 2)


def _after_month(words: Sequence[str], at: int, month: str) -> Written | None:
    is_word = words[at] in ("may", "march")  # "may one ask", "march ten miles"
    if is_word and word(words, at - 1) in PRONOUNS:
        return None
    start = at + 1 + (word(words, at + 1) == "the")
    found: list[Written] = []
    day = ordinal(words, start) or (None if is_word else below_hundred(words, start))
    if day and 1 <= day[0] <= 31:
        named = year(words, day[1])
        text = f"{month} {day[0]}"
        found.append((f"{text}, {named[0]}", named[1]) if named else (text, day[1]))
    if not is_word and (named := year(words, at + 1)):
        found.append((f"{month} {named[0]}", named[1]))
    return max(found, key=lambda written: written[1], default=None)


def decade(words: Sequence[str], at: int) -> Written | None:
    """Such as the nineteen eighties."""
    century = below_hundred(words, at)
    if century is None or not 10 <= century[0] <= 20:
        return None
    years = DECADES.get(word(words, century[1]))
    return None if years is None else (f"{century[0]}{years}s", century[1] + 1)
