"""Marks that nobody said, and capitals inside sentences, for the pieces of an utterance.

    guide = Guide(punctuator)
    pieces, memory = guide.final((Piece("how"), Piece("are"), Piece("you")), guide.start)
    # how are you ?

A mark that was said wins over one that was guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from streamasr.core.dictation.marks import Glue, Piece
from streamasr.core.dictation.style import user_mark
from streamasr.core.punctuation.punctuator import LONGEST_WAIT, Memory, Punctuator, Written
from streamasr.core.punctuation.tokens import NUMBER, PAUSE, SPOKEN, WRITTEN, Case, Mark

Pieces = tuple[Piece, ...]

GUESSES = {mark: replace(user_mark(text), is_guess=True) for mark, text in WRITTEN.items()}
_HEARD = {
    ",": Mark.COMMA, ";": Mark.COMMA, ":": Mark.COMMA, "–": Mark.COMMA, "—": Mark.COMMA,
    "…": Mark.COMMA, ".": Mark.STOP, "!": Mark.STOP, "?": Mark.QUESTION,
}  # fmt: skip
"""Marks that are said, and those that the network knows them as."""


class Guide:
    """Writes guessed marks between pieces."""

    def __init__(self, punctuator: Punctuator, *, waits: int = LONGEST_WAIT) -> None:
        """A decision waits for so many words, 1 or 2; with 1 none is changed by later words."""
        self._punctuator = punctuator
        self._waits = waits

    @property
    def start(self) -> Memory:
        """What is remembered where a text begins."""
        return self._punctuator.start

    def final(
        self, pieces: Sequence[Piece], memory: Memory, *, capitals: bool = True
    ) -> tuple[Pieces, Memory]:
        """A whole utterance after what is remembered: its pieces with marks, and the new
        memory."""
        tokens, ends = _tokens(pieces)
        written, memory = self._punctuator.read([*tokens, PAUSE], memory, waits=self._waits)
        return tuple(_marked(pieces, ends, _seen(written, capitals), is_over=True)), memory

    def partial(
        self,
        pieces: Sequence[Piece],
        coming: Sequence[str],
        memory: Memory,
        *,
        capitals: bool = True,
    ) -> Pieces:
        """The beginning of an utterance; words that are ``coming`` are not sure to stay."""
        tokens, ends = _tokens(pieces)
        if self._waits == LONGEST_WAIT:
            tokens += coming
        written, _ = self._punctuator.read(tokens, memory, waits=self._waits)
        return tuple(_marked(pieces, ends, _seen(written, capitals), is_over=False))


def settled(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces without the guessed marks in whose place another one was said."""
    kept: list[Piece] = []
    for piece in pieces:
        if kept and kept[-1].is_guess and not piece.is_guess and piece.text in _HEARD:
            kept.pop()
        kept.append(piece)
    return kept


def _seen(written: list[Written], capitals: bool) -> list[Written]:
    return written if capitals else [replace(one, case=Case.LOWER) for one in written]


def _tokens(pieces: Sequence[Piece]) -> tuple[list[str], list[int]]:
    """What the network hears, and the number of tokens up to the end of each piece."""
    tokens: list[str] = []
    ends: list[int] = []
    for piece in pieces:
        tokens += _tokens_of(piece)
        ends.append(len(tokens))
    return tokens, ends


def _tokens_of(piece: Piece) -> list[str]:
    if piece.text in _HEARD:
        return [SPOKEN[_HEARD[piece.text]]]
    if piece.breaks_line:
        return [SPOKEN[Mark.STOP]]
    words = [word.strip(',.;:!?"()') for word in piece.text.lower().split()]
    return [
        NUMBER if any(c.isdigit() for c in word) else word
        for word in words
        if any(c.isalnum() for c in word)
    ]


def _marked(
    pieces: Sequence[Piece], ends: Sequence[int], written: Sequence[Written], *, is_over: bool
) -> Iterable[Piece]:
    for at, (piece, end) in enumerate(zip(pieces, ends, strict=True)):
        is_word = end > (ends[at - 1] if at else 0) and not _is_mark(piece)
        if not is_word:
            yield piece
            continue
        yield _cased(piece, written[end - 1].case)
        is_last = at == len(pieces) - 1
        hugged = Glue.AFTER in piece.glue or (not is_last and _is_hugging(pieces[at + 1]))
        mark = written[end - 1].mark
        if mark in GUESSES and not hugged and (is_over or not is_last):
            yield GUESSES[mark]


def _is_mark(piece: Piece) -> bool:
    return piece.text in _HEARD or piece.breaks_line


def _is_hugging(piece: Piece) -> bool:
    """Whether no guess goes before a piece: it is a mark itself, or part of the word."""
    return piece.text in _HEARD or (Glue.BEFORE in piece.glue and not piece.breaks_line)


def _cased(piece: Piece, case: Case) -> Piece:
    if piece.is_fixed or case is Case.LOWER:
        return piece
    text = piece.text
    text = text.upper() if case is Case.UPPER else text[:1].upper() + text[1:]
    return replace(piece, text=text)
