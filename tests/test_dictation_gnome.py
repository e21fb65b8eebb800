"""Dictation in GNOME on Wayland, which lets no program be a keyboard: the shell itself, without a
screen, its own IBus, and a text field of GTK that is typed into as an input method does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamasr.edge.dictation.ibusbus import find_address
from streamasr.edge.dictation.ways import open_typist
from tests.desktop import GTK_PAD, SYSTEM_PYTHON, lacks_gtk, missing, until

CLIP = Path(__file__).parent / "data" / "1970-28415-0030.flac"
NEEDED = missing("gnome-shell", "ibus-daemon", "dbus-daemon", "gdbus", modules=("jeepney",))
STREAMASR = [sys.executable, "-m", "streamasr"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(NEEDED or lacks_gtk()), reason=NEEDED or lacks_gtk()),
]
SYSTEM_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={0}</listen><policy context="default">
<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>"""
KEYBOARD = """
import time
from gi.repository import Gio, GLib
bus, name = Gio.bus_get_sync(Gio.BusType.SESSION), "org.gnome.Mutter.RemoteDesktop"
def call(path, interface, method, body=None):
    return bus.call_sync(name, path, interface, method, body, None, 0, 20000, None)
path = call("/org/gnome/Mutter/RemoteDesktop", name, "CreateSession").unpack()[0]
call(path, name + ".Session", "Start")
for is_down in (True, False):
    call(path, name + ".Session", "NotifyKeyboardKeycode", GLib.Variant("(ub)", (42, is_down)))
print("there", flush=True)
time.sleep(600)
"""
"""A keyboard, without which nothing gets the focus: Shift is pressed once."""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def start(stack: ExitStack, *command: str) -> None:
    process = subprocess.Popen(command, **QUIET)  # type: ignore[call-overload]
    stack.callback(process.wait)
    stack.callback(process.terminate)


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """What a text field that has the focus holds, with what is open behind a zero."""
    run = Path("/tmp") / f"streamasr-gnome-{os.getpid()}"
    run.mkdir(mode=0o700)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for name, value in {
        "XDG_RUNTIME_DIR": str(run), "HOME": str(tmp_path), "GSETTINGS_BACKEND": "memory",
        "XDG_CACHE_HOME": cache, "XDG_SESSION_TYPE": "wayland", "XDG_CURRENT_DESKTOP": "GNOME",
        "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1",
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={run}/system",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "IBUS_ADDRESS", "GTK_IM_MODULE"):
        monkeypatch.delenv(name, raising=False)
    (run / "system.conf").write_text(SYSTEM_BUS.format(run / "system"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, run, ignore_errors=True)
        start(stack, "dbus-daemon", f"--config-file={run}/system.conf", "--nofork", "--nosyslog")
        address = f"unix:path={run}/session"
        start(stack, "dbus-daemon", "--session", "--nofork", "--nosyslog", f"--address={address}")
        until((run / "session").exists, "D-Bus does not start")
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        start(stack, "gnome-shell", "--headless", "--wayland", "--no-x11",
              "--virtual-monitor", "800x600")  # fmt: skip
        until((run / "wayland-0").exists, "the shell does not start", 60)
        overview = ["gdbus", "call", "--session", "--dest", "org.gnome.Shell", "--object-path",
                    "/org/gnome/Shell", "--method", "org.freedesktop.DBus.Properties.Set",
                    "org.gnome.Shell", "OverviewActive", "<false>"]  # fmt: skip
        until(lambda: not subprocess.run(overview, **QUIET).returncode, "no shell", 60)  # type: ignore[call-overload]
        keyboard = subprocess.Popen(
            [SYSTEM_PYTHON, "-c", KEYBOARD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        stack.callback(keyboard.communicate)
        stack.callback(keyboard.kill)
        assert keyboard.stdout is not None
        assert keyboard.stdout.readline()
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        monkeypatch.setenv("GDK_BACKEND", "wayland")
        held = tmp_path / "held"
        start(stack, SYSTEM_PYTHON, "-c", GTK_PAD, str(held), "GtkPad")
        until(held.exists, "the window does not open")
        until(lambda: find_address(os.environ) != "", "IBus does not start", 60)

        def has_focus() -> bool:
            subprocess.run(overview, **QUIET)  # type: ignore[call-overload]
            return typist.is_ready()

        typist = open_typist("ibus", os.environ)
        until(has_focus, "no text field has the focus", 60)
        typist.close()
        yield held


def test_words_stand_open_at_the_cursor_and_become_text(field: Path) -> None:
    doctor = subprocess.run([*STREAMASR, "doctor"], capture_output=True, text=True)
    assert "typing: by ibus" in doctor.stdout
    assert "wtype: this compositor lets no program be a keyboard" in doctor.stdout
    dictation = subprocess.Popen(
        [*STREAMASR, "dictate", "--punctuation", "none", "--from", str(CLIP)], **QUIET
    )  # type: ignore[call-overload]
    shown = set()
    while dictation.poll() is None:
        shown.add(field.read_text(encoding="utf-8").partition("\0")[2])
        time.sleep(0.05)
    assert dictation.returncode == 0
    said = subprocess.run(
        [*STREAMASR, "transcribe", str(CLIP)], capture_output=True, text=True, check=True
    ).stdout
    wanted = " ".join(said.split()) + "\0"
    until(lambda: field.read_text().lower() == wanted, f"{field.read_text()!r}, not {wanted!r}")
    assert len(shown) > 4, "words appear while they are said"
