"""Numbers, times of day and durations as they are spoken, and what the words mean.

>>> number_forms(21.5)
[('twenty', 'one', 'point', 'five'), ('twenty', 'one', 'and', 'a', 'half')]
>>> duration_s("two and a half hours".split())
9000
"""

from __future__ import annotations

from collections.abc import Sequence

Words = tuple[str, ...]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {
    1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth",
}  # fmt: skip
BIGGEST = 999_999
VALUES = {word: n for n, word in enumerate((*DIGITS, *TEENS))} | {
    word: 10 * n for n, word in enumerate(TENS, start=2)
}
UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def integer_forms(value: int) -> list[Words]:
    """The ways to say a whole number from 0 to `BIGGEST`, the plain one first."""
    if value < 100:
        return [_below_hundred(value)]
    unit, name = (1000, "thousand") if value >= 1000 else (100, "hundred")
    heads = [(*head, name) for head in integer_forms(value // unit)]
    if value // unit == 1:
        heads.append(("a", name))
    rest = value % unit
    if not rest:
        return heads
    forms = []
    for tail in integer_forms(rest):
        forms += [(*head, *tail) for head in heads]
        if rest < 100:
            forms += [(*head, "and", *tail) for head in heads]
    return forms


def _below_hundred(value: int) -> Words:
    if value < 20:
        return ((*DIGITS, *TEENS)[value],)
    tens = TENS[value // 10 - 2]
    return (tens, DIGITS[value % 10]) if value % 10 else (tens,)


def number_forms(value: float) -> list[Words]:
    """The ways to say a number of at most one decimal."""
    if value < 0:
        return [(sign, *form) for form in number_forms(-value) for sign in ("minus", "negative")]
    tenths = round(value * 10)
    whole, tenth = divmod(tenths, 10)
    forms = integer_forms(whole)
    if not tenth:
        return forms
    said = [(*form, "point", DIGITS[tenth]) for form in forms]
    if tenth == 5 and whole:
        said += [(*form, "and", "a", "half") for form in forms]
    if not whole:
        said += [("point", DIGITS[tenth])]
        said += [("half",), ("a", "half"), ("one", "half")] if tenth == 5 else []
    return said


def ordinal_form(value: int) -> Words:
    """The ordinal of a number from 1 to 99: ``("twenty", "first")``."""
    *first, last = _below_hundred(value)
    end = VALUES[last]
    if end in ORDINALS:
        return (*first, ORDINALS[end])
    return (*first, last[:-1] + "ieth" if last.endswith("y") else last + "th")


# Templates of what is said in parts; `edge.commands.templates` reads them.

_HOURS = "(" + "|".join((*DIGITS[1:], *TEENS[:3])) + ")"
_MINUTES = "(" + "|".join(
    [f"(oh|o) {DIGITS[n]}" for n in range(1, 10)]
    + [" ".join(_below_hundred(n)) for n in range(10, 60)]
) + ")"  # fmt: skip
_FEW = "(" + "|".join(" ".join(_below_hundred(n)) for n in range(1, 30)) + ")"
_HALF_DAY = "(a m|p m|in the morning|in the afternoon|in the evening|at night)"
TIME = (
    f"({_HOURS} [o'clock] [{_HALF_DAY}]|{_HOURS} {_MINUTES} [{_HALF_DAY}]"
    f"|half past {_HOURS} [{_HALF_DAY}]|[a] quarter (past|to|after) {_HOURS} [{_HALF_DAY}]"
    f"|{_FEW} [minutes] (past|to|after) {_HOURS} [{_HALF_DAY}]|noon|midnight)"
)
"""A time of day."""


def _amount(unit: str, most: int) -> str:
    numbers = "|".join(" ".join(_below_hundred(n)) for n in range(2, most + 1))
    article = "an" if unit == "hour" else "a"
    return (
        f"({article}|one) {unit}|half {article} {unit}|({article}|one) {unit} and a half"
        f"|one and a half {unit}s|({numbers}) {unit}s|({numbers}) and a half {unit}s"
    )


_SECONDS, _MINS, _HRS = (_amount(unit, 99) for unit in ("second", "minute", "hour"))
DURATION = (
    f"(({_HRS}) [[and] ({_MINS})]|({_MINS}) [[and] ({_SECONDS})]|({_SECONDS})"
    f"|({_amount('day', 31)})|[a] quarter of an hour|three quarters of an hour)"
)
"""A duration of days, or of hours with minutes, or of minutes with seconds."""


def time_of_day(words: Sequence[str]) -> str:
    """``HH:MM`` of words that `TIME` allows.

    Without a half of the day it is as the clock shows it: "half past seven" is 07:30.
    """
    text = " ".join(words)
    if text in ("noon", "midnight"):
        return "12:00" if text == "noon" else "00:00"
    text, half = _half_day(text)
    words = text.removesuffix("o'clock").replace("quarter", "fifteen").split()
    words = [word for word in words if word not in ("a", "minutes")]
    for sign, link in ((1, "past"), (1, "after"), (-1, "to")):
        if link in words:
            at = words.index(link)
            minutes = 30 if words[:at] == ["half"] else _sum(words[:at])
            total = 60 * VALUES[words[at + 1]] + sign * minutes
            break
    else:
        total = 60 * VALUES[words[0]] + _sum([w for w in words[1:] if w not in ("oh", "o")])
    hour, minute = divmod(total, 60)
    if half:
        is_late = half == "p m" or (half == "night" and hour % 12 >= 6)
        hour = hour % 12 + (12 if is_late else 0)
    return f"{hour % 24:02d}:{minute:02d}"


def _half_day(text: str) -> tuple[str, str]:
    """The text without the half of the day that it names, and that."""
    halves = {
        " a m": "a m", " in the morning": "a m", " p m": "p m", " in the afternoon": "p m",
        " in the evening": "p m", " at night": "night",
    }  # fmt: skip
    for ending, half in halves.items():
        if text.endswith(ending):
            return text.removesuffix(ending), half
    return text, ""


def duration_s(words: Sequence[str]) -> int:
    """Seconds of words that `DURATION` allows."""
    text = " ".join(words)
    quarters = {"a quarter of an hour": 900, "quarter of an hour": 900}
    quarters["three quarters of an hour"] = 2700
    if text in quarters:
        return quarters[text]
    total, number, unit_s = 0.0, 0.0, 0
    at = 0
    while at < len(words):
        word = words[at]
        if word == "and" and tuple(words[at + 1 : at + 3]) == ("a", "half"):
            # of what was counted last, or of what is about to be counted
            if number:
                number += 0.5
            else:
                total += unit_s / 2
            at += 3
            continue
        if word.removesuffix("s") in UNITS_S:
            unit_s = UNITS_S[word.removesuffix("s")]
            total += number * unit_s
            number = 0.0
        elif word == "half":
            number = 0.5
        elif word in ("a", "an"):
            number = number or 1.0
        elif word != "and":
            number += VALUES[word]
        at += 1
    return round(total)


def _sum(words: Sequence[str]) -> int:
    return sum(VALUES[word] for word in words)
