import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from streamasr.app.live import (
    CLEAR_LINE,
    GREY,
    RESET,
    Display,
    LiveLine,
    cells,
    columns,
    printable,
    tail,
)


class Screen(io.StringIO):
    """A terminal of 80 columns that remembers what was written."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no descriptor")

    @property
    def lines(self) -> list[str]:
        """What a person sees: carriage return and erase act, colours are dropped."""
        text = self.getvalue().replace(GREY, "").replace(RESET, "")
        return [line.rpartition(CLEAR_LINE)[2] for line in text.split("\n")]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_partials_are_rewritten_in_place_and_finals_stay_above() -> None:
    screen = Screen()
    display = Display(screen, screen)
    display.partial("hel")
    display.partial("hello wor")
    assert screen.lines == ["hello wor"]
    display.line("hello world")
    display.partial("next")
    assert screen.lines == ["hello world", "next"]
    display.close()
    assert screen.lines == ["hello world", ""]


def test_partials_are_grey_unless_colour_is_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    LiveLine(screen).show("word")
    assert screen.getvalue() == f"{CLEAR_LINE}{GREY}word{RESET}"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Screen()
    LiveLine(plain).show("word")
    assert plain.getvalue() == f"{CLEAR_LINE}word"


@pytest.mark.parametrize("term", ["dumb", None], ids=["dumb terminal", "pipe"])
def test_only_whole_lines_where_nothing_can_be_rewritten(
    monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    out, err = (Screen(), Screen()) if term else (io.StringIO(), io.StringIO())
    if term:
        monkeypatch.setenv("TERM", term)
    display = Display(out, err)
    display.partial("hel")
    display.line("hello")
    display.note("a note")
    display.close()
    assert out.getvalue() == "hello\n"
    assert err.getvalue() == "streamasr: a note\n"
    assert not display.live


def test_piped_results_are_plain_while_the_person_still_sees_partials() -> None:
    out, screen = io.StringIO(), Screen()
    display = Display(out, screen)
    display.partial("hel")
    assert screen.lines == ["hel"]
    display.line("hello")
    assert out.getvalue() == "hello\n"
    assert screen.lines == [""]


def test_partials_can_be_refused() -> None:
    screen = Screen()
    Display(screen, screen, partials=False).partial("hel")
    assert screen.getvalue() == ""


def test_a_note_does_not_tear_the_open_utterance() -> None:
    screen = Screen()
    display = Display(screen, screen)
    display.partial("hello wor")
    display.note("listening again")
    assert screen.lines == ["streamasr: listening again", "hello wor"]


@pytest.mark.parametrize(
    ("text", "width", "kept"),
    [
        ("short", 80, "short"),
        ("exactly", 7, "exactly"),
        ("one two three", 8, "… three"),
        ("one two three", 12, "… two three"),
        ("unbroken", 4, "…ken"),
        ("日本語", 5, "…本語"),
        ("日本語", 4, "…語"),
    ],
)
def test_a_long_text_keeps_its_end_within_the_width(text: str, width: int, kept: str) -> None:
    assert tail(text, width) == kept
    assert cells(kept) <= width


def test_cells_count_what_a_terminal_shows() -> None:
    assert [cells(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]


def test_names_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\n.wav") == "a\ufffd[2Jb\ufffd.wav"


def test_the_width_is_that_of_the_terminal() -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 33, 0, 0))
    with os.fdopen(terminal, "w") as screen:
        assert columns(screen) == 33
    os.close(controller)
    assert columns(Screen()) == 80
