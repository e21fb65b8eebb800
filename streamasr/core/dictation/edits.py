"""The smallest correction that turns what stands in a window into what should.

    smallest_edit("to see", "two sees")     # Edit(erase=5, text="wo sees")

A window only takes keys at its end: letters, and backspaces that take letters away.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Backspaces, then letters."""

    erase: int
    """Characters to take back from the end."""
    text: str

    @property
    def is_empty(self) -> bool:
        return not self.erase and not self.text


@dataclass(frozen=True, slots=True)
class Target:
    """What should stand in a window of what was dictated into it."""

    page: int
    """A stretch of dictation into one window, counted from zero."""
    window: str
    """Which window; empty where nobody tells."""
    base: int
    """Characters of the page before ``text``; they are settled and not kept."""
    text: str
    is_open: bool = False
    """Whether its end is of an utterance that is still being said."""


def common_prefix(first: str, second: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(first), len(second))
    while low < high:  # slices are compared by memory, so halving is faster than counting
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def smallest_edit(typed: str, wanted: str) -> Edit:
    """The edit from ``typed`` to ``wanted`` that keeps all that they begin with."""
    kept = common_prefix(typed, wanted)
    return Edit(len(typed) - kept, wanted[kept:])
