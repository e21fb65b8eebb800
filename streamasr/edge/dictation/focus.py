"""Which window has the focus, where the desktop tells.

    focus = find_focus(os.environ)
    focus.window()          # Window(name="sway:7", program="foot")

X11 tells everybody, sway whoever asks; GNOME and KDE on Wayland tell nobody.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any, Protocol

from streamasr.edge.dictation.display import UNKNOWN, Window, XDisplay
from streamasr.edge.dictation.typist import Call, call
from streamasr.errors import DeviceError, StreamasrError


class Focus(Protocol):
    @property
    def name(self) -> str: ...

    def window(self) -> Window:
        """The window that has the focus, `UNKNOWN` where none has or nobody tells."""
        ...

    def close(self) -> None: ...


class NoFocus:
    """Nobody tells."""

    name = ""

    def window(self) -> Window:
        return UNKNOWN

    def close(self) -> None:
        pass


class XFocus:
    name = "X11"

    def __init__(self, display: XDisplay | None = None) -> None:
        self._x = display or XDisplay()

    def window(self) -> Window:
        return self._x.focused()

    def close(self) -> None:
        self._x.close()


class SwayFocus:
    """Asks sway, or i3 where it runs on X11's place."""

    name = "sway"

    def window(self) -> Window:
        try:
            tree = json.loads(call(Call(["swaymsg", "-t", "get_tree"])))
        except (DeviceError, json.JSONDecodeError):
            return UNKNOWN  # it is about to end, or busy; the next look may tell
        return _focused(tree) or UNKNOWN

    def close(self) -> None:
        pass


def _focused(node: Any) -> Window | None:
    if node.get("focused"):
        if node.get("type") not in ("con", "floating_con"):
            return UNKNOWN  # a workspace without windows
        properties = node.get("window_properties") or {}
        program = node.get("app_id") or properties.get("class") or ""
        return Window(f"sway:{node['id']}", program)
    for child in (*node.get("nodes", ()), *node.get("floating_nodes", ())):
        if found := _focused(child):
            return found
    return None


def find_focus(environ: Mapping[str, str]) -> Focus:
    """Who tells in this session; `NoFocus` where nobody does."""
    if environ.get("WAYLAND_DISPLAY"):
        is_sway = environ.get("SWAYSOCK") and shutil.which("swaymsg")
        return SwayFocus() if is_sway else NoFocus()
    if environ.get("DISPLAY"):
        try:
            return XFocus()
        except StreamasrError:
            return NoFocus()
    return NoFocus()
