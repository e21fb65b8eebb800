"""Against IBus itself, and a text field of GTK in the layouts us, de and fr."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from Xlib import XK, X
from Xlib.display import Display
from Xlib.ext import xtest

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.ibus import Engine
from streamasr.edge.dictation.ibusbus import find_address
from streamasr.edge.dictation.preedit import PreeditTypist
from streamasr.edge.dictation.ways import open_typist, survey
from streamasr.errors import DeviceError
from tests.desktop import KEYBOARD, GtkPad, ibus, lacks_gtk, missing, until

FAR = "Grüße – “naïve” жук 日本語 🙂"


@pytest.fixture(scope="module")
def session(
    display: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[bytes]]:
    if reason := missing("ibus-daemon", "dbus-daemon", modules=("jeepney",)) or lacks_gtk():
        pytest.skip(reason)
    before = dict(os.environ)
    try:
        with ibus(tmp_path_factory.mktemp("ibus")) as daemon:
            yield daemon
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def gtk(session: object, display: str, tmp_path: Path) -> Iterator[GtkPad]:
    pad = GtkPad(display, tmp_path)
    pad.focus()
    yield pad
    pad.close()


@pytest.fixture
def typist(gtk: GtkPad) -> Iterator[PreeditTypist]:
    typist = PreeditTypist(Engine.connect(find_address(os.environ)))
    until(typist.is_ready, "no text field has the focus")
    yield typist
    typist.close()


def engine_in_use() -> str:
    return subprocess.run(["ibus", "engine"], capture_output=True, text=True).stdout.strip()


def press(key: int) -> None:
    display = Display()
    code = display.keysym_to_keycode(key)
    xtest.fake_input(display, X.KeyPress, code)
    xtest.fake_input(display, X.KeyRelease, code)
    display.sync()
    display.close()


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
def test_open_text_is_shown_then_committed_whatever_the_layout(
    gtk: GtkPad, typist: PreeditTypist, layout: str
) -> None:
    subprocess.run(["setxkbmap", layout], check=True)
    typist.write(Edit(0, "two see"))
    assert gtk.shows("", "two see")
    typist.write(Edit(3, f"cities {FAR}"))
    assert gtk.shows("", f"two cities {FAR}")
    typist.settle()
    assert gtk.shows(f"two cities {FAR}", "")
    typist.write(Edit(len(FAR), "more"))
    assert gtk.shows("two cities ", "more"), "what was committed is taken back"
    typist.settle()
    assert gtk.shows("two cities more", "")


def test_line_breaks_are_keys(gtk: GtkPad, typist: PreeditTypist) -> None:
    typist.write(Edit(0, "one\n\ntwo"))
    typist.settle()
    assert gtk.shows("one\n\ntwo", "")


def test_a_key_of_the_person_commits_what_is_open(gtk: GtkPad, typist: PreeditTypist) -> None:
    subprocess.run(["setxkbmap", "us"], check=True)
    typist.write(Edit(0, "open"))
    assert gtk.shows("", "open")
    press(XK.XK_q)
    assert gtk.shows("openq", "")


def test_what_is_open_stays_when_the_focus_goes(
    gtk: GtkPad, typist: PreeditTypist, display: str
) -> None:
    typist.write(Edit(0, "two see"))
    assert gtk.shows("", "two see")
    x = Display(display)
    x.set_input_focus(X.NONE, X.RevertToNone, X.CurrentTime)
    x.sync()
    until(lambda: not typist.is_ready(), "a field that nobody sees is taken for one")
    gtk.focus()
    x.close()
    until(typist.is_ready, "the field is not seen again")
    assert gtk.shows("two see", "")
    typist.write(Edit(3, "cities"))
    typist.settle()
    assert gtk.shows("two cities", "")


def test_a_click_commits_what_is_open(gtk: GtkPad, typist: PreeditTypist, display: str) -> None:
    typist.write(Edit(0, "two see"))
    assert gtk.shows("", "two see")
    x = Display(display)
    x.screen().root.warp_pointer(60, 60)
    xtest.fake_input(x, X.ButtonPress, 1)
    xtest.fake_input(x, X.ButtonRelease, 1)
    x.sync()
    x.close()
    assert gtk.shows("two see", "")
    until(lambda: not typist._composition.is_open, "it is taken for open")
    typist.write(Edit(0, "m"))
    assert gtk.shows("two see", "m")


def test_the_input_method_that_was_in_use_comes_back(gtk: GtkPad) -> None:
    assert engine_in_use() == KEYBOARD
    typist = PreeditTypist(Engine.connect(find_address(os.environ)), quiet_s=0.1)
    until(typist.is_ready, "no text field has the focus")
    assert engine_in_use() != KEYBOARD
    typist.write(Edit(0, "a"))
    assert gtk.shows("", "a")
    typist.settle()
    until(lambda: engine_in_use() == KEYBOARD, "it is not given back when nothing is written")
    until(typist.is_ready, "it is not taken again")
    typist.write(Edit(0, "b"))
    assert gtk.shows("a", "b")
    typist.close()
    assert gtk.shows("ab", "")
    until(lambda: engine_in_use() == KEYBOARD, "it is not given back at the end")


def test_it_is_found_and_opened_by_its_name(gtk: GtkPad) -> None:
    ways = {way.name: way for way in survey(os.environ)}
    assert ways["ibus"].works
    assert not next(w for w in survey({"HOME": "/nowhere"}) if w.name == "ibus").works
    typist = open_typist("ibus", os.environ)
    assert typist.name == "ibus"
    typist.close()


def test_an_ibus_that_is_gone_is_told(session: subprocess.Popen[bytes], gtk: GtkPad) -> None:
    """The last of this module: it ends the daemon."""
    address = find_address(os.environ)
    typist = PreeditTypist(Engine.connect(address))
    session.terminate()
    session.wait()
    with pytest.raises(DeviceError, match="IBus"):
        until(typist.is_ready, "still there")
    with pytest.raises(DeviceError, match="does not answer at"):
        Engine.connect(address)
    typist.close()
