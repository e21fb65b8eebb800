"""Numbers in English words: cardinals, ordinals, years, rows of digits.

number(["two", "hundred", "and", "five", "cats"], 0)      # (205, 4)
"""

from __future__ import annotations

from collections.abc import Sequence

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

UNITS = {word: value for value, word in enumerate(_SMALL.split())}
TENS = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)} | {"fourty": 40}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
DIGITS = {word: str(value) for word, value in UNITS.items() if value < 10}
REPEATS = {"double": 2, "triple": 3}
"""How often a digit stands after such a word."""
_IRREGULAR = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
}  # fmt: skip
ORDINALS = (
    {word + "th": value for word, value in UNITS.items() if value > 3}
    | {word[:-1] + "ieth": value for word, value in TENS.items()}
    | {"hundredth": 100, "thousandth": 1000}
    | _IRREGULAR
)
for _wrong in ("fiveth", "eightth", "nineth", "twelveth"):
    ORDINALS.pop(_wrong, None)

NUMBER_WORDS = frozenset(
    {*UNITS, *TENS, *SCALES, *ORDINALS, "hundred", "point", "minus", "negative"} - {"second"}
)

Found = tuple[int, int]
"""A value, and the place of the word after it."""


def _word(words: Sequence[str], at: int) -> str:
    return words[at] if at < len(words) else ""


def below_hundred(words: Sequence[str], at: int) -> Found | None:
    """Such as twelve, thirty, or thirty two."""
    word = _word(words, at)
    if word in TENS:
        unit = UNITS.get(_word(words, at + 1), 0)
        return (TENS[word] + unit, at + 2) if 0 < unit < 10 else (TENS[word], at + 1)
    return (UNITS[word], at + 1) if word in UNITS else None


def _below_thousand(words: Sequence[str], at: int) -> Found | None:
    if _word(words, at) == "a" and _word(words, at + 1) == "hundred":
        found: Found | None = (1, at + 1)
    else:
        found = below_hundred(words, at)
    if found is None:
        return None
    value, end = found
    if not 0 < value < 100 or _word(words, end) != "hundred":
        return found
    value, end = 100 * value, end + 1
    start = end + (_word(words, end) == "and")
    rest = below_hundred(words, start)
    return (value + rest[0], rest[1]) if rest and rest[0] else (value, end)


def number(words: Sequence[str], at: int) -> Found | None:
    """A cardinal that begins at a word."""
    if _word(words, at) == "a" and _word(words, at + 1) in SCALES:
        group: Found | None = (1, at + 1)
    else:
        group = _below_thousand(words, at)
    if group is None:
        return None
    total, last, end = 0, 10**15, at
    while group is not None:
        value, after = group
        scale = SCALES.get(_word(words, after), 1)
        if scale >= last or not value:
            break
        total, end, last = total + value * scale, after + (scale > 1), scale
        if scale == 1:
            break
        follows = end + (_word(words, end) == "and" and last == 1000)
        group = _below_thousand(words, follows)
    return (total, end) if end > at else (0, at + 1)


def ordinal(words: Sequence[str], at: int) -> Found | None:
    """An ordinal below a hundred, or one hundredth."""
    word = _word(words, at)
    if word in TENS and 0 < ORDINALS.get(_word(words, at + 1), 0) < 10:
        return TENS[word] + ORDINALS[words[at + 1]], at + 2
    return (ORDINALS[word], at + 1) if word in ORDINALS else None


def year(words: Sequence[str], at: int) -> Found | None:
    """A year as it is said: nineteen eighty four, twenty oh five, two thousand twenty six."""
    first = below_hundred(words, at)
    if first and 10 <= first[0] <= 20:
        century, end = first
        if _word(words, end) in ("oh", "o") and 0 < UNITS.get(_word(words, end + 1), 0) < 10:
            return 100 * century + UNITS[words[end + 1]], end + 2
        rest = below_hundred(words, end)
        if rest and 10 <= rest[0] <= 99:
            return 100 * century + rest[0], rest[1]
    whole = number(words, at)
    return whole if whole and 1000 <= whole[0] <= 2999 else None


def digit_row(words: Sequence[str], at: int) -> tuple[str, int] | None:
    """Three digits or more that are said one by one; "oh" among them is zero, "double" two."""
    row, end = "", at
    while True:
        times = REPEATS.get(_word(words, end), 1)
        digit = _word(words, end + (times > 1))
        if digit not in DIGITS and not (row and digit == "oh"):
            break
        row += DIGITS.get(digit, "0") * times
        end += 1 + (times > 1)
    return (row, end) if len(row) >= 3 else None


def suffix(value: int) -> str:
    """What is written after an ordinal's digits."""
    if value % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
