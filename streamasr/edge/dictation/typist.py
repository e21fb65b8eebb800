"""What every way to type can do, and the ways that are another program.

with wtype_typist() as typist:
    typist.write(Edit(erase=2, text="ör\\n"))
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, TextIO

from streamasr.core.dictation.edits import Edit
from streamasr.errors import DeviceError

WTYPE_SETTLE_MS = "20"
"""Every call is a new keyboard, and what is typed before a window knows it is lost."""
ANSWER_S = 10.0
"""What a program that types gets; it needs milliseconds."""


class Typist(Protocol):
    """Types into the window that has the focus."""

    @property
    def name(self) -> str: ...

    @property
    def corrects(self) -> bool:
        """Whether it can take letters back, so that text may be typed while it may change."""
        ...

    def is_ready(self) -> bool:
        """False while somebody holds a key that would make a shortcut of what is typed."""
        ...

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        """Do an edit; raises DeviceError.

        With ``soft_breaks`` a line break is Shift+Return, which sends no message.
        """
        ...

    def settle(self) -> None:
        """What was written so far will stay, but for what is said to take it back."""
        ...

    def close(self) -> None:
        """Leave keyboard and clipboard as they were found."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A program to run: its arguments, and what it reads, where other users cannot see it."""

    args: Sequence[str]
    stdin: str = ""


def call(one: Call) -> str:
    """Run it and return what it prints; raises DeviceError with what it complains about."""
    program = one.args[0]
    try:
        done = subprocess.run(
            one.args, input=one.stdin, capture_output=True, text=True, timeout=ANSWER_S
        )
    except FileNotFoundError:
        raise DeviceError(f"{program} is not installed", remedy=f"apt install {program}") from None
    except subprocess.TimeoutExpired:
        raise DeviceError(f"{program} does not answer within {ANSWER_S:g} s") from None
    if done.returncode:
        why = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise DeviceError(f"{program} failed: {why or f'exit code {done.returncode}'}")
    return done.stdout


class ProgramTypist:
    """Types by running a program for every edit."""

    corrects = True

    def __init__(self, name: str, calls: Callable[[Edit, bool], Sequence[Call]]) -> None:
        """``calls`` are the programs to run for an edit, with soft line breaks or not."""
        self.name = name
        self._calls = calls

    def is_ready(self) -> bool:
        return True

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        for one in self._calls(edit, soft_breaks):
            call(one)

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass


SETTLE = ("-s", WTYPE_SETTLE_MS)
BACKSPACE = ("-k", "BackSpace", "-s", "2")
RETURN = ("-k", "Return", "-s", "2")
SOFT_RETURN = ("-M", "shift", "-k", "Return", "-m", "shift", "-s", "2")


def wtype_typist() -> ProgramTypist:
    """The virtual keyboard of Wayland, which brings its own layout: any letter can be typed."""
    return ProgramTypist("wtype", _wtype)


def _wtype(edit: Edit, soft_breaks: bool) -> list[Call]:
    calls = []
    keys: list[tuple[str, ...]] = [BACKSPACE] * edit.erase
    for number, line in enumerate(edit.text.split("\n")):
        if number:
            keys.append(SOFT_RETURN if soft_breaks else RETURN)
        if line:
            calls.append(Call(["wtype", *SETTLE, *chain(*keys), "-d", "2", "-"], line))
            keys = []
    return [*calls, Call(["wtype", *SETTLE, *chain(*keys)])] if keys else calls


def xdotool_typist() -> ProgramTypist:
    return ProgramTypist("xdotool", _xdotool)


def _xdotool(edit: Edit, soft_breaks: bool) -> list[Call]:
    calls = []
    if edit.erase:
        calls.append(Call(["xdotool", "key", "--delay", "4", *["BackSpace"] * edit.erase]))
    for number, line in enumerate(edit.text.split("\n")):
        if number:
            calls.append(Call(["xdotool", "key", "shift+Return" if soft_breaks else "Return"]))
        if line:
            calls.append(Call(["xdotool", "type", "--delay", "8", "--file", "-"], line))
    return calls


class Printer:
    """Writes what is settled to standard output: for pipes, where nothing can be taken back."""

    name = "stdout"
    corrects = False

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def is_ready(self) -> bool:
        return True

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        self._out.write(edit.text)
        self._out.flush()

    def settle(self) -> None:
        pass

    def close(self) -> None:
        self._out.write("\n")
        self._out.flush()
