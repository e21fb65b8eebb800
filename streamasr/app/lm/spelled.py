"""Sentences that no book holds and that people say to machines: spelling, numbers, dates.

A model of prose hears "b r o w n" as "bee are oh double you in". These sentences stand beside
the prose, so that letters follow letters and digits follow digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streamasr.core.commands.spoken import DIGITS, TEENS, TENS

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def spelled_sentences(
    words: Sequence[str], count: int, rng: np.random.Generator
) -> Iterator[list[str]]:
    """So many sentences; ``words`` are there to be spelt, each as likely as the others."""
    kinds = (
        lambda: list(words[int(rng.integers(len(words)))].replace("'", "")),
        lambda: _code(rng),
        lambda: _digits(rng, int(rng.integers(1, 11))),
        lambda: _date(rng),
        lambda: number(int(10 ** rng.uniform(0, 5))),
        lambda: _address(rng),
    )
    shares = np.array([0.4, 0.1, 0.2, 0.15, 0.1, 0.05])
    for kind in rng.choice(len(kinds), size=count, p=shares):
        yield kinds[kind]()


def number(value: int) -> list[str]:
    """A number below a million in words.

    >>> number(21_305)
    ['twenty', 'one', 'thousand', 'three', 'hundred', 'five']
    """
    if value >= 1000:
        rest = value % 1000
        return [*number(value // 1000), "thousand", *(number(rest) if rest else [])]
    if value >= 100:
        rest = value % 100
        return [DIGITS[value // 100], "hundred", *(number(rest) if rest else [])]
    if value >= 20:
        rest = value % 10
        return [TENS[value // 10 - 2], *([DIGITS[rest]] if rest else [])]
    return [TEENS[value - 10] if value >= 10 else DIGITS[value]]


def _digits(rng: np.random.Generator, count: int) -> list[str]:
    zero = "oh" if rng.random() < 0.5 else "zero"
    return [zero if d == 0 else DIGITS[d] for d in rng.integers(10, size=count).tolist()]


def _code(rng: np.random.Generator) -> list[str]:
    """Random letters, perhaps with digits or a number after them."""
    letters = [LETTERS[i] for i in rng.integers(26, size=int(rng.integers(1, 7))).tolist()]
    if rng.random() < 0.3:
        return [*letters, *number(int(rng.integers(1, 100)))]
    return [*letters, *_digits(rng, int(rng.integers(0, 5)))]


def _date(rng: np.random.Generator) -> list[str]:
    month = [MONTHS[int(rng.integers(12))]]
    day = int(rng.integers(1, 32))
    if day <= len(ORDINALS):
        said = [ORDINALS[day - 1]]
    elif day == 30:
        said = ["thirtieth"]
    else:
        said = [TENS[day // 10 - 2], ORDINALS[day % 10 - 1]]
    if rng.random() < 0.2:
        return [*month, *said]
    century, rest = ("nineteen", int(rng.integers(10, 100)))
    if rng.random() < 0.3:
        century, rest = ("twenty", int(rng.integers(10, 31)))
    return [*month, *said, century, *number(rest)]


def _address(rng: np.random.Generator) -> list[str]:
    """A house number as it is read, in pairs of digits or whole."""
    if rng.random() < 0.5:
        return number(int(rng.integers(1, 10_000)))
    pairs = [number(int(rng.integers(10, 100))), number(int(rng.integers(1, 100)))]
    return [word for pair in pairs for word in pair]
