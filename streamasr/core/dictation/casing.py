"""Pieces as one text: spaces between them, capitals at sentence starts and of names.

compose([Piece("i'm"), Piece("here"), MARKS["period"]], START)     # ("I'm here.", ...)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamasr.core.dictation.marks import Glue, Piece

NAMES = {
    word: word.capitalize()
    for word in [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "english",
        "german",
        "french",
        "spanish",
        "italian",
    ]
} | {"i": "I", "i'm": "I'm", "i'll": "I'll", "i'd": "I'd", "i've": "I've"}
"""Words that are always written so; "may" and "march" may be other words."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a text ends with, as far as the next word must know."""

    at_start: bool = True
    """A sentence begins here."""
    is_tight: bool = True
    """No space goes before the next word."""


START = Context()


def compose(
    pieces: Iterable[Piece], context: Context, *, capitals: bool = True
) -> tuple[str, Context]:
    """The text of pieces after ``context``, and what it ends with."""
    out: list[str] = []
    at_start, is_tight = context.at_start, context.is_tight
    for piece in pieces:
        if not is_tight and Glue.BEFORE not in piece.glue:
            out.append(" ")
        text = piece.text
        if capitals and not piece.is_fixed:
            text = NAMES.get(text, text)
            if at_start:
                text = text[:1].upper() + text[1:]
        out.append(text)
        is_tight = Glue.AFTER in piece.glue
        at_start = piece.ends_sentence or (at_start and piece.keeps_start)
    return "".join(out), Context(at_start, is_tight)
