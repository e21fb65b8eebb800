"""What a stream can tell: five frozen events, and nothing else.

Positions are sample counts at 16 kHz from the first sample received, lost audio
included; seconds exist only at the edges. For each utterance the order is always

    SpeechStarted, Partial ..., Final (when there is text), SpeechEnded

and a partial is a prefix of the next one and of the final. A gap may come anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EndReason = Literal["silence", "trailing_blank", "length", "finish"]
"""Which rule ended an utterance: the voice gate, a run of blanks, the length limit, or
the end of the audio (``flush`` and ``finish`` alike)."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a hypothesis."""

    text: str
    start: int
    """Where the first unit of the word came out."""
    end: int
    """Where the last unit of the word was last heard; greater than ``start``."""
    confidence: float
    """Probability of the least certain unit, 0..1."""
    written: str = ""
    """With its capital and the mark after it, in a final that is written (`core.scribe`)."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An utterance opened."""

    utterance: int
    """Counts from zero, and is the same in every event of the utterance."""
    at: int
    """The first speech, not the pre-roll before it."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The text of the open utterance grew."""

    utterance: int
    text: str
    start: int
    end: int
    """How far the audio was decoded."""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """What may have been said instead."""

    text: str
    confidence: float
    """Of the final, less as this is less likely."""
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The text of an utterance, for good; never empty."""

    utterance: int
    text: str
    start: int
    end: int
    """Start and end span the speech and all words."""
    words: tuple[Word, ...]
    confidence: float
    """Mean of the words' confidences, 0..1."""
    reason: EndReason
    alternatives: tuple[Alternative, ...] = ()
    """Likeliest first, where they were asked for."""
    written: str = ""
    """The text with marks and capitals, where they were asked for (`core.scribe`)."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """An utterance closed; the last event that bears its number."""

    utterance: int
    at: int
    """Where the speech really ended, not where that was noticed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio was lost before it was heard."""

    at: int
    """The first lost sample."""
    samples: int


Event = SpeechStarted | Partial | Final | SpeechEnded | Gap
