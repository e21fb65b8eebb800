"""Spoken numbers as digits: amounts, dates, times of day, money, units.

    digits("call me at half past three".split())            # [..., "3:30"]
    digits("twenty dollars and five cents".split())         # ["$20.05"]

Numbers below ten stay words where nothing says what they count. Rules of our own: of the
libraries that were looked at, text2num knows numbers alone; WeTextProcessing and
nemo_text_processing know dates and money, need pynini (a wheel of 166 MB), and do not tell
which words of a sentence that still grows may yet belong to a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamasr.core.dictation.amounts import (
    MONEY,
    MOVING,
    PENCE,
    POUNDS,
    POWERS,
    Written,
    amount,
    money,
    with_unit,
    word,
)
from streamasr.core.dictation.cardinals import (
    DIGITS,
    NUMBER_WORDS,
    REPEATS,
    digit_row,
    ordinal,
    suffix,
    year,
)
from streamasr.core.dictation.moments import MONTHS, date, decade, time

__all__ = ["DIGITS", "digits", "unfinished_number"]

_NUMBERED = """chapter page room section version flight gate platform volume exercise channel
route highway"""
NUMBERED = frozenset(_NUMBERED.split())
"""Things that have a number, even a small one."""
INSIDE = {"and", "of", "to", "past", "p", "m", "in", "per", "minutes", "minute", *MOVING}
"""Words that numbers, dates and times hold, and never begin with."""
BEGINNING = {"a", "the", "oh", "half", "quarter", "degrees", *POUNDS, *PENCE, *POWERS, *REPEATS}
GOING_ON = frozenset(NUMBER_WORDS | INSIDE | set(MONTHS) | set(MONEY) | BEGINNING)


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


def _always(words: Sequence[str], at: int) -> Written | None:
    is_said = tuple(words[at : at + 3]) == ("twenty", "four", "seven")
    return ("24/7", at + 3) if is_said and word(words, at + 3) not in NUMBER_WORDS else None


def _numbered(words: Sequence[str], at: int) -> Written | None:
    """The number of a chapter or a version, which may have several points."""
    found = amount(words, at) if word(words, at - 1) in NUMBERED else None
    if found is None:
        return None
    text, end, _ = found
    while word(words, end) == "point" and (digit := word(words, end + 1)) in DIGITS:
        text, end = f"{text}.{DIGITS[digit]}", end + 2
    return text, end


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
    found = amount(words, at)
    return found[:2] if found and found[2] else None


_RULES: tuple[Callable[[Sequence[str], int], Written | None], ...] = (
    money, with_unit, date, time, decade, _always, _row, _numbered, _year, _ordinal, _plain,
)  # fmt: skip
