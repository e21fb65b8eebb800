"""Recognised utterances, a line each, as written text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamasr.core.dictation.casing import START, compose
from streamasr.core.dictation.marks import Piece
from streamasr.core.dictation.punctuating import Guide
from streamasr.core.punctuation.punctuator import Punctuator


def punctuated(lines: Iterable[str], punctuator: Punctuator) -> Iterator[str]:
    """Each line with marks and capitals; an empty one begins a new text."""
    guide = Guide(punctuator)
    memory, context = guide.start, START
    for line in lines:
        words = line.lower().split()
        if not words:
            memory, context = guide.start, START
            yield ""
            continue
        pieces, memory = guide.final([Piece(word) for word in words], memory)
        written, context = compose(pieces, context)
        yield written.strip()
