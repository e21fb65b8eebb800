"""The words of an utterance as things to write and things to do.

read("hello comma scratch that".split(), Style())   # [Piece("hello"), Piece(","), SCRATCH]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from streamasr.core.dictation.marks import LETTER_NAMES, NATO, Glue, Piece
from streamasr.core.dictation.numbers import DIGITS, digits
from streamasr.core.dictation.style import ALONE, FIRST, SWITCHES, Command, Meaning, Style

Action = Command
"""One of SCRATCH, UNDO, STOP."""
Item = Piece | Action


def read(words: Sequence[str], style: Style) -> list[Item]:
    """The items of an utterance: pieces, and the commands that change what stands."""
    reader = _Reader(style)
    if style.commands and (alone := ALONE.get(" ".join(words))) and len(words) == 1:
        return [alone]
    if style.commands and words and words[0] in FIRST and len(words) > 1:
        reader.spell(words[1:])
    else:
        reader.read(words)
    return reader.items


class _Reader:
    def __init__(self, style: Style) -> None:
        self.items: list[Item] = []
        self._style = style
        self._plain: list[str] = []  # words without a meaning, not yet written
        self._next: list[Callable[[Piece], Piece]] = []  # for the next word
        self._all: Callable[[Piece], Piece] | None = None  # for every word from here on

    def read(self, words: Sequence[str]) -> None:
        at = 0
        while at < len(words):
            found = self._style.longest(words, at)
            if found is None:
                self._plain.append(words[at])
                at += 1
                continue
            meaning, length = found
            at += length
            if meaning is Command.LITERAL and at < len(words):
                other = self._style.longest(words, at)
                length = other[1] if other else 1
                self._flush()
                self._words(words[at : at + length])
                at += length
            else:
                self._mean(meaning, words[at - length : at])
        self._flush()

    def spell(self, words: Sequence[str]) -> None:
        """Letters as one word, until the spelling ends."""
        letters, at, is_capital = "", 0, False
        while at < len(words):
            found = self._style.longest(words, at)
            if found is not None and found[0] is Command.END_SPELL:
                at += found[1]
                break
            word = words[at]
            at += 1
            if word == "capital":
                is_capital = True
                continue
            if found is not None and isinstance(found[0], Piece) and word not in _SPELLED:
                letter, at = found[0].text, at - 1 + found[1]
            else:
                letter = " " if word == "space" else _SPELLED.get(word, word)
            letters += letter.upper() if is_capital else letter
            is_capital = False
        if letters:
            self._write(Piece(letters, is_fixed=True))
        self.read(words[at:])

    def _mean(self, meaning: Meaning, said: Sequence[str]) -> None:
        if isinstance(meaning, Piece):
            self._flush()
            self._write(meaning)
        elif meaning in SWITCHES:
            self._flush()
            self._switch(meaning)
        elif meaning in (Command.SCRATCH, Command.UNDO, Command.STOP):
            self._flush()
            self.items.append(meaning)
        else:  # a command out of its place is words
            self._plain += said

    def _switch(self, command: Command) -> None:
        match command:
            case Command.ALL_CAPS:
                self._next.append(_upper)
            case Command.CAPITAL:
                self._next.append(_capital)
            case Command.NO_SPACE:
                self._next.append(_tight)
            case Command.ALL_CAPS_ON:
                self._all = _upper
            case Command.CAPS_ON:
                self._all = _capital
            case _:
                self._all = None

    def _flush(self) -> None:
        plain, self._plain = self._plain, []
        self._words(digits(plain) if self._style.numbers else plain)

    def _words(self, words: Sequence[str]) -> None:
        for word in words:
            self._write(Piece(word))

    def _write(self, piece: Piece) -> None:
        if self._all is not None:
            piece = self._all(piece)
        for change in self._next:
            piece = change(piece)
        self._next.clear()
        self.items.append(piece)


def _upper(piece: Piece) -> Piece:
    return replace(piece, text=piece.text.upper(), is_fixed=True)


def _capital(piece: Piece) -> Piece:
    return replace(piece, text=piece.text[:1].upper() + piece.text[1:], is_fixed=True)


def _tight(piece: Piece) -> Piece:
    return replace(piece, glue=piece.glue | Glue.BEFORE)


_SPELLED = LETTER_NAMES | NATO | DIGITS
