"""The ways to type that this session has, the best first, and why the others are none.

for way in survey(os.environ):
    print(way.name, way.works, way.why)
typist = open_typist("auto", os.environ)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from streamasr.edge.dictation.clipboard import Copier, Paster, find_clipboard
from streamasr.edge.dictation.display import XDisplay
from streamasr.edge.dictation.ibus import Engine
from streamasr.edge.dictation.ibusbus import asking, find_address
from streamasr.edge.dictation.keyboards import (
    RULE,
    UINPUT,
    KernelKeyboard,
    Keyboard,
    YdotoolKeyboard,
    find_ydotoold,
)
from streamasr.edge.dictation.preedit import PreeditTypist
from streamasr.edge.dictation.typist import (
    Call,
    Printer,
    Typist,
    call,
    wtype_typist,
    xdotool_typist,
)
from streamasr.edge.dictation.uinput import KernelTypist, Layout
from streamasr.edge.dictation.xtest import XTestTypist
from streamasr.errors import DeviceError, StreamasrError, UsageError

INSERT = 0xFF63


@dataclass(frozen=True, slots=True)
class Way:
    """One way to type, and whether it works here."""

    name: str
    works: bool
    why: str
    """What is missing and how to get it, or what it is good for."""


Environ = Mapping[str, str]


def _wtype(environ: Environ) -> Way:
    if not environ.get("WAYLAND_DISPLAY"):
        return Way("wtype", False, "this is no Wayland session")
    if not shutil.which("wtype"):
        return Way("wtype", False, "not installed: apt install wtype")
    try:
        call(Call(["wtype", "-s", "1"]))
    except DeviceError:
        return Way("wtype", False, "this compositor lets no program be a keyboard (GNOME, KDE)")
    return Way("wtype", True, "Wayland's virtual keyboard: every letter, whatever the layout")


def _xtest(environ: Environ) -> Way:
    if environ.get("WAYLAND_DISPLAY") or not environ.get("DISPLAY"):
        return Way("xtest", False, "this is no X11 session")
    try:
        display = XDisplay()
        try:
            display.require("XTEST")
        finally:
            display.close()
    except StreamasrError as error:
        return Way("xtest", False, str(error))
    return Way("xtest", True, "X11's XTEST: every letter, in the layout that is in use")


def _xdotool(environ: Environ) -> Way:
    if environ.get("WAYLAND_DISPLAY") or not environ.get("DISPLAY"):
        return Way("xdotool", False, "this is no X11 session")
    if not shutil.which("xdotool"):
        return Way("xdotool", False, "not installed: apt install xdotool")
    return Way("xdotool", True, "X11, where python-xlib is not installed")


def _ibus(environ: Environ) -> Way:
    address = find_address(environ)
    if not address:
        return Way("ibus", False, "IBus does not run: apt install ibus, then log in anew")
    try:
        with asking(address):
            pass
    except StreamasrError as error:
        return Way("ibus", False, str(error))
    return Way("ibus", True, "an input method: every letter, in programs that take part in IBus")


def _uinput(environ: Environ) -> Way:
    if not UINPUT.exists():
        return Way("uinput", False, f"no {UINPUT}: sudo modprobe uinput")
    if not os.access(UINPUT, os.W_OK):
        rule = f"write {RULE!r} to /etc/udev/rules.d/60-uinput.rules and reboot"
        return Way("uinput", False, f"no right to write {UINPUT}: {rule}")
    return _by_kernel("uinput", environ)


def _ydotool(environ: Environ) -> Way:
    try:
        YdotoolKeyboard(find_ydotoold(environ)).close()
    except StreamasrError as error:
        return Way("ydotool", False, str(error))
    return _by_kernel("ydotool", environ)


def _by_kernel(name: str, environ: Environ) -> Way:
    try:
        layout = Layout(environ).keymap().name
    except StreamasrError as error:
        return Way(name, False, str(error))
    others = "others are pasted"
    if find_clipboard(environ) is None:
        others = "others only by what looks like them"
    return Way(name, True, f"the kernel's keyboard: letters of the layout {layout}, {others}")


def _paste(environ: Environ) -> Way:
    if find_clipboard(environ) is None:
        return Way("paste", False, "needs wl-clipboard on Wayland, xclip on X11")
    if not any(way(environ).works for way in (_wtype, _xtest, _uinput, _ydotool)):
        return Way("paste", False, "nothing may press the keys that paste; see clipboard")
    return Way(
        "paste", True, "whole utterances by the clipboard, for programs that take keys badly"
    )


def _clipboard(environ: Environ) -> Way:
    if find_clipboard(environ) is None:
        return Way("clipboard", False, "needs wl-clipboard on Wayland, xclip on X11")
    return Way("clipboard", True, "text is left on the clipboard, to be pasted by hand")


def _stdout(environ: Environ) -> Way:
    return Way("stdout", True, "whole utterances, for pipes; only where it is asked for")


WAYS: dict[str, Callable[[Environ], Way]] = {
    "wtype": _wtype,
    "xtest": _xtest,
    "xdotool": _xdotool,
    "ibus": _ibus,
    "uinput": _uinput,
    "ydotool": _ydotool,
    "paste": _paste,
    "clipboard": _clipboard,
    "stdout": _stdout,
}
"""The best first."""
UNASKED = ("wtype", "xtest", "xdotool", "ibus", "uinput", "ydotool", "clipboard")
"""What ``auto`` may choose."""


def survey(environ: Environ) -> Iterator[Way]:
    """Every way, the best first."""
    for way in WAYS.values():
        yield way(environ)


def best_way(environ: Environ) -> str:
    """What ``auto`` means here; raises DeviceError where nothing works."""
    for name in UNASKED:
        if WAYS[name](environ).works:
            return name
    raise DeviceError(
        "nothing here can type into a window",
        remedy="`streamasr doctor` says what each way needs; --typing stdout prints",
    )


def open_typist(name: str, environ: Environ) -> Typist:
    """The way of that name, or the best for ``auto``.

    Raises DeviceError where it does not work here, UsageError for a name that is none.
    """
    if name == "auto":
        name = best_way(environ)
    elif name not in WAYS:
        raise UsageError(f"no way to type is called {name!r}", remedy=f"auto, {', '.join(WAYS)}")
    way = WAYS[name](environ)
    if not way.works:
        raise DeviceError(f"cannot type by {name}: {way.why}")
    return _OPEN[name](environ)


def _open_paste(environ: Environ) -> Typist:
    clipboard = find_clipboard(environ)
    assert clipboard is not None, "surveyed before"
    if _wtype(environ).works:
        keys = Call(["wtype", "-M", "shift", "-k", "Insert", "-m", "shift"])
        return Paster(clipboard, wtype_typist(), lambda: void(call(keys)))
    if _xtest(environ).works:
        typist = XTestTypist()
        return Paster(clipboard, typist, lambda: typist.press(INSERT, shift=True))
    open_keyboard = _open_uinput if _uinput(environ).works else _open_ydotool
    kernel = open_keyboard(environ)
    return Paster(clipboard, kernel, kernel.press_paste)


def _open_uinput(environ: Environ) -> KernelTypist:
    return _kernel_typist("uinput", KernelKeyboard(), environ)


def _open_ydotool(environ: Environ) -> KernelTypist:
    return _kernel_typist("ydotool", YdotoolKeyboard(find_ydotoold(environ)), environ)


def _kernel_typist(name: str, keyboard: Keyboard, environ: Environ) -> KernelTypist:
    return KernelTypist(name, keyboard, Layout(environ), find_clipboard(environ))


def _open_clipboard(environ: Environ) -> Typist:
    clipboard = find_clipboard(environ)
    assert clipboard is not None, "surveyed before"
    return Copier(clipboard)


def void(value: object) -> None:
    """Forget a value."""


_OPEN: dict[str, Callable[[Environ], Typist]] = {
    "wtype": lambda _: wtype_typist(),
    "xtest": lambda _: XTestTypist(),
    "xdotool": lambda _: xdotool_typist(),
    "ibus": lambda environ: PreeditTypist(Engine.connect(find_address(environ))),
    "uinput": _open_uinput,
    "ydotool": _open_ydotool,
    "paste": _open_paste,
    "clipboard": _open_clipboard,
    "stdout": lambda _: Printer(),
}
