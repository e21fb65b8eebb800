"""What a person sees while speech turns into text.

On a terminal the open utterance stands in grey on one line that is rewritten in place,
and finals scroll up above it. Where there is no terminal only whole lines are written.
Nothing here knows where the events come from.

    display = Display(sys.stdout, sys.stderr)
    display.partial("hello wor")
    display.line("hello world")
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TextIO

CLEAR_LINE = "\r\x1b[2K"
GREY = "\x1b[90m"
RESET = "\x1b[0m"
FALLBACK_COLUMNS = 80


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can rewrite its line."""
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def columns(stream: TextIO) -> int:
    """The width of the terminal behind a stream, in cells."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or FALLBACK_COLUMNS
    except OSError:
        return FALLBACK_COLUMNS


def cells(text: str) -> int:
    """The cells that a text takes on a terminal: wide characters take two."""
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def tail(text: str, width: int) -> str:
    """The end of a text that fits into ``width`` cells, marked where it was cut.

    >>> tail("one two three", 8)
    '… three'
    """
    if cells(text) <= width:
        return text
    room = width - 1
    start = len(text)
    while start and (step := _cells(text[start - 1])) <= room:
        room -= step
        start -= 1
    kept = text[start:]
    _, space, later = kept.partition(" ")
    return "… " + later if space and later and not text[start - 1].isspace() else "…" + kept


def printable(text: str) -> str:
    """A text from outside (a file's name) without anything that steers a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class LiveLine:
    """One line of a terminal that is rewritten in place; silent where there is none."""

    def __init__(self, out: TextIO) -> None:
        self.active = is_terminal(out)
        self._out = out
        self._shown = False
        self._grey = not os.environ.get("NO_COLOR")

    def show(self, text: str) -> None:
        """Put the end of ``text`` on the line."""
        if not self.active:
            return
        # The last column stays free: some terminals wrap as soon as it is written.
        body = tail(text, max(columns(self._out) - 1, 2))
        if self._grey:
            body = f"{GREY}{body}{RESET}"
        self._out.write(CLEAR_LINE + body)
        self._out.flush()
        self._shown = True

    def clear(self) -> None:
        """Empty the line, so that something else can be written there."""
        if self._shown:
            self._out.write(CLEAR_LINE)
            self._out.flush()
            self._shown = False


class Display:
    """Finals on ``out``, the open utterance and notes on ``err``.

    Both may be the same terminal: the live line is cleared before a whole line is
    written, and drawn again below it.
    """

    def __init__(self, out: TextIO, err: TextIO, *, partials: bool = True) -> None:
        self.out = out
        self._err = err
        self._live = LiveLine(err)
        self._partials = partials and self._live.active
        self._open = ""

    @property
    def live(self) -> bool:
        """Whether partials are shown in place."""
        return self._partials

    def partial(self, text: str) -> None:
        """Show the open utterance; an empty text clears it."""
        self._open = text
        if not self._partials:
            return
        if text:
            self._live.show(text)
        else:
            self._live.clear()

    def line(self, text: str) -> None:
        """Write one line of result; the utterance that it closes is no longer shown."""
        self.partial("")
        self.out.write(text + "\n")
        self.out.flush()

    def note(self, text: str) -> None:
        """Write one line for the person, not for the result."""
        self._live.clear()
        self._err.write(f"streamasr: {text}\n")
        self._err.flush()
        if self._open:
            self.partial(self._open)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self.partial("")


def standard_display(*, partials: bool = True) -> Display:
    """The display on this process's own output and error streams."""
    return Display(sys.stdout, sys.stderr, partials=partials)
