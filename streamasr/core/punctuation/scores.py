"""Where what the network says stands among its scores, and of which token it speaks."""

from __future__ import annotations

from dataclasses import dataclass

from streamasr.core.punctuation.tokens import Case, Mark

MARKS, CASES = len(Mark), len(Case)


@dataclass(frozen=True, slots=True)
class Look:
    """How many tokens a decision waits for."""

    marks: slice
    mark_delay: int
    cases: slice
    case_delay: int


def _look(number: int) -> Look:
    start = number * (MARKS + CASES)
    middle, end = start + MARKS, start + MARKS + CASES
    return Look(slice(start, middle), number + 1, slice(middle, end), number)


LOOKS = (_look(0), _look(1))
"""The mark after a word is said when one more is known, and again when two are; its case at
once, and again when one more is known."""
SCORES = len(LOOKS) * (MARKS + CASES)
