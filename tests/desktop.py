"""A desktop for tests: an X server without a screen, and windows that hold what is typed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAD = """
import sys, tkinter
from pathlib import Path
out = Path(sys.argv[1])
root = tkinter.Tk(className=sys.argv[2])
text = tkinter.Text(root)
text.pack()
text.focus_set()
def save():
    new = out.with_suffix(".new")
    new.write_text(text.get("1.0", "end-1c"), encoding="utf-8")
    new.replace(out)
    root.after(int(sys.argv[3]), save)
save()
root.mainloop()
"""

GTK_PAD = """
import sys
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import GLib
GLib.set_prgname(sys.argv[2])  # before Gtk is imported: the window is called so
from gi.repository import Gtk
from pathlib import Path
out = Path(sys.argv[1])
window, view, shown = Gtk.Window(), Gtk.TextView(), [""]
window.set_default_size(400, 300)
window.add(view)
view.connect("preedit-changed", lambda _, text: shown.__setitem__(0, text))
text = view.get_buffer()
def save():
    new = out.with_suffix(".new")
    held = text.get_text(text.get_start_iter(), text.get_end_iter(), True)
    new.write_text(held + chr(0) + shown[0], encoding="utf-8")
    new.replace(out)
    return True
window.show_all()
save()
GLib.timeout_add(20, save)
Gtk.main()
"""
SYSTEM_PYTHON = "/usr/bin/python3"
KEYBOARD = "xkb:us::eng"
"""The input method that the person has."""

PATIENCE_S = 20.0


def missing(*programs: str, modules: tuple[str, ...] = ()) -> str:
    """What of these is not installed, as a reason to skip."""
    from importlib.util import find_spec

    absent = [program for program in programs if shutil.which(program) is None]
    absent += [module for module in modules if find_spec(module) is None]
    return f"needs {', '.join(absent)}" if absent else ""


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def x_server() -> Iterator[str]:
    """An X server of our own; yields what DISPLAY is to be."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "640x480x24", "-noreset"]
    process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.readline().strip()
    try:
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()


class Receiver:
    """A program with a window that holds what is typed; see `text`."""

    name: str

    def __init__(self, display: str, command: list[str]) -> None:
        self._display = display
        self._process = subprocess.Popen(
            command, env=os.environ | {"DISPLAY": display}, stderr=subprocess.DEVNULL
        )

    def focus(self) -> str:
        """Give it the focus; how `XDisplay` calls it then."""
        from Xlib import X, display

        x = display.Display(self._display)
        found: list[Any] = []

        def is_shown() -> bool:
            windows = x.screen().root.query_tree().children
            named = [w for one in windows for w in (one, *one.query_tree().children)]
            named = [w for w in named if (w.get_wm_class() or ("", ""))[1] == self.name]
            found[:] = [w for w in named if w.get_attributes().map_state == X.IsViewable]
            return bool(found)

        until(is_shown, "the window did not open")
        found[0].set_input_focus(X.RevertToParent, X.CurrentTime)
        x.sync()
        x.close()
        return f"x11:{found[0].id:x}"

    @property
    def text(self) -> str:
        raise NotImplementedError

    def holds(self, text: str) -> bool:
        """Wait until it holds a text; fails with what it holds instead after some patience."""
        deadline = time.monotonic() + PATIENCE_S
        while self.text != text:
            assert time.monotonic() < deadline, f"it holds {self.text!r}, not {text!r}"
            time.sleep(0.02)
        return True

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Pad(Receiver):
    """A text window of Tk."""

    def __init__(self, display: str, folder: Path, name: str = "Pad", *, save_ms: int = 20) -> None:
        self.name = name
        self._file = folder / f"{name}.txt"
        command = [sys.executable, "-c", PAD, str(self._file), name, str(save_ms)]
        super().__init__(display, command)
        until(self._file.exists, "the window did not open")

    @property
    def text(self) -> str:
        return self._file.read_text(encoding="utf-8")


class GtkPad(Receiver):
    """A text view of GTK that takes part in IBus."""

    name = "GtkPad"

    def __init__(self, display: str, folder: Path) -> None:
        self._file = folder / "gtkpad.txt"
        super().__init__(display, [SYSTEM_PYTHON, "-c", GTK_PAD, str(self._file), self.name])
        until(self._file.exists, "the window did not open")

    @property
    def text(self) -> str:
        return self._file.read_text(encoding="utf-8").partition("\0")[0]

    @property
    def open(self) -> str:
        """What is shown underlined, to be replaced or committed."""
        return self._file.read_text(encoding="utf-8").partition("\0")[2]

    def shows(self, text: str, open_: str) -> bool:
        """Wait until it holds a text, and shows an open one behind it."""
        deadline = time.monotonic() + PATIENCE_S
        while (held := (self.text, self.open)) != (text, open_):
            assert time.monotonic() < deadline, f"it holds {held}, not {(text, open_)}"
            time.sleep(0.02)
        return True


@contextmanager
def ibus(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An IBus of our own, on a D-Bus of our own; sets what programs find it by."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert bus.stdout is not None
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
    os.environ |= {"HOME": str(home), "GTK_IM_MODULE": "ibus", "NO_AT_BRIDGE": "1"}
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "IBUS_ADDRESS"):
        os.environ.pop(name, None)
    off = [f"--{part}=disable" for part in ("panel", "config", "emoji-extension")]
    daemon = subprocess.Popen(["ibus-daemon", *off], **quiet)  # type: ignore[call-overload]
    try:
        asked = ["ibus", "engine", KEYBOARD]
        until(lambda: not subprocess.run(asked, **quiet).returncode, "IBus does not start")  # type: ignore[call-overload]
        yield daemon
    finally:
        for process in (daemon, bus):
            process.terminate()
            process.wait()
        bus.stdout.close()


def lacks_gtk() -> str:
    """Why there is no window of GTK here, as a reason to skip."""
    code = "import gi; gi.require_version('Gtk', '3.0'); gi.require_version('IBus', '1.0')"
    if subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True).returncode:
        return "needs python3-gi, gir1.2-gtk-3.0, gir1.2-ibus-1.0"
    return ""


class Terminal(Receiver):
    """xterm, and ``cat`` in it."""

    name = "XTerm"

    def __init__(self, display: str, folder: Path) -> None:
        self._file = folder / "terminal.txt"
        catch = f"stty -echo -icanon; cat > {shlex.quote(str(self._file))}"
        super().__init__(display, ["xterm", "-u8", "-e", "sh", "-c", catch])
        until(self._file.exists, "the terminal did not open")

    @property
    def text(self) -> str:
        shown = ""
        for letter in self._file.read_bytes().decode("utf-8", "replace"):
            shown = shown[:-1] if letter in "\b\x7f" else shown + letter
        return shown
