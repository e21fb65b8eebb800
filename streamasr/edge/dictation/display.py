"""An X server behind the few calls that we make of it.

    display = XDisplay()
    print(display.focused())        # Window(name="x11:400007", program="XTerm")

One thread at a time may use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from streamasr.errors import DeviceError, MissingExtra

HIGHEST_PARENTS = 20
"""How far above the focused window the one with a name is looked for."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that may have the focus."""

    name: str
    """The same as long as the window is open, and of no other; empty where nobody tells."""
    program: str = ""
    """What the window says it belongs to, such as ``firefox``."""


UNKNOWN = Window("")


class XDisplay:
    """A connection of our own; raises MissingExtra, or DeviceError where nobody answers."""

    def __init__(self, name: str | None = None) -> None:
        try:
            from Xlib import X, display, error
        except ModuleNotFoundError as missing:
            raise MissingExtra("python-xlib", "mic") from missing
        self._x, self._error = X, error
        self.name = name or os.environ.get("DISPLAY", "")
        try:
            self._display: Any = display.Display(name)
        except (error.DisplayError, error.ConnectionClosedError, OSError) as why:
            raise DeviceError(
                f"no X server answers at {self.name or 'DISPLAY, which is not set'}",
                remedy="run it inside the desktop session",
            ) from why
        self._display.set_error_handler(lambda *_: None)  # of windows that are gone meanwhile
        self._root = self._display.screen().root

    def close(self) -> None:
        with suppress(Exception):
            self._display.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the library's errors into DeviceError."""
        try:
            yield
        except (self._error.ConnectionClosedError, self._error.XError, OSError) as why:
            raise DeviceError(f"the X server at {self.name} failed: {why}") from why

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Do what can be done at the end, when the server may be gone."""
        with suppress(self._error.ConnectionClosedError, self._error.XError, OSError):
            yield

    def require(self, extension: str) -> None:
        if not self._display.has_extension(extension):
            raise DeviceError(f"the X server at {self.name} has no {extension}")

    # The keyboard

    def modifiers(self) -> int:
        """The modifiers that are held or locked, as X counts them."""
        with self.errors():
            return int(self._root.query_pointer().mask) & 0xFF

    def group(self) -> int:
        """Which layout is in use, where several are set up."""
        return int(self._root.query_pointer().mask) >> 13 & 3

    def layout(self) -> dict[int, list[int]]:
        """Keycode -> what it means on each level."""
        first, last = self._display.display.info.min_keycode, self._display.display.info.max_keycode
        symbols = self._display.get_keyboard_mapping(first, last - first + 1)
        return {first + place: list(row) for place, row in enumerate(symbols)}

    def map(self, code: int, symbol: int) -> None:
        """Give a key one meaning on all levels, or none with 0."""
        self._display.change_keyboard_mapping(code, [[symbol] * 2])
        self._display.flush()

    def sync(self) -> None:
        self._display.sync()

    def tap(self, code: int, held: Sequence[int] = ()) -> None:
        """Press and release a key while others are held, in one packet."""
        from Xlib.ext import xtest

        for one in (*held, code):
            xtest.fake_input(self._display, self._x.KeyPress, one)
        for one in (code, *reversed(held)):
            xtest.fake_input(self._display, self._x.KeyRelease, one)
        self._display.flush()

    # Windows

    def focused(self) -> Window:
        """The window that has the focus; unknown where none has."""
        with self.errors():
            active = self._active() or self._display.get_input_focus().focus
            if isinstance(active, int):  # none, or whatever the pointer is over
                return UNKNOWN
            return self._named(active)

    def _active(self) -> Any:
        """What the window manager says, if there is one."""
        atom = self._display.intern_atom("_NET_ACTIVE_WINDOW")
        found = self._root.get_full_property(atom, self._x.AnyPropertyType)
        if found is None or not found.value or not found.value[0]:
            return None
        return self._display.create_resource_object("window", found.value[0])

    def _named(self, window: Any) -> Window:
        """The window at or above one that says what it belongs to."""
        at = window
        for _ in range(HIGHEST_PARENTS):
            try:
                named = at.get_wm_class()
                if named:
                    return Window(f"x11:{at.id:x}", named[1])
                at = at.query_tree().parent
            except self._error.XError:  # it was closed while we looked
                break
            if isinstance(at, int):
                break
        return Window(f"x11:{window.id:x}")
