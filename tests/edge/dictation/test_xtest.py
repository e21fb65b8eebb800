import subprocess
import time

import pytest
from Xlib import XK, X
from Xlib.display import Display
from Xlib.ext import xtest

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.xtest import XTestTypist, keysym
from streamasr.errors import DeviceError
from tests.desktop import Pad

ASCII = "".join(map(chr, range(0x20, 0x7F)))
EVERYDAY = "Grüße, café, œuvre, 5 € – “naïve”… straße ÄÖÜ çàéèù"
FAR = "жук Ω 日本語 🙂 ñ ß ł ő şğı"


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
def test_every_letter_arrives_whatever_the_layout(pad: Pad, layout: str) -> None:
    subprocess.run(["setxkbmap", layout], check=True)
    typist = XTestTypist()
    text = f"{ASCII}\n{EVERYDAY}\n\tazertyqwerty AZERTYQWERTY {FAR}"
    typist.write(Edit(0, text))
    assert pad.holds(text)
    typist.write(Edit(len(FAR), "end"))
    assert pad.holds(text.removesuffix(FAR) + "end")
    typist.close()


def test_more_strange_letters_than_there_are_free_keys_arrive_in_order(pad: Pad) -> None:
    subprocess.run(["setxkbmap", "us"], check=True)
    typist = XTestTypist()
    greek = "".join(map(chr, range(0x3B1, 0x3CA))) + "".join(map(chr, range(0x430, 0x450)))
    typist.write(Edit(0, greek * 2))
    assert pad.holds(greek * 2)
    typist.close()


def test_the_keyboard_is_left_as_it_was(pad: Pad) -> None:
    def layout() -> list[tuple[int, ...]]:
        display = Display()
        rows = [tuple(row) for row in display.get_keyboard_mapping(8, 248)]
        display.close()
        return rows

    before = layout()
    typist = XTestTypist()
    typist.write(Edit(0, "жук"))
    assert pad.holds("жук")
    assert layout() != before
    typist.close()
    assert [[s for s in row if s] for row in layout()] == [[s for s in row if s] for row in before]


def test_caps_lock_changes_nothing(pad: Pad) -> None:
    subprocess.run(["setxkbmap", "us"], check=True)
    typist = XTestTypist()
    tap(XK.XK_Caps_Lock)
    try:
        typist.write(Edit(0, "Hello, WORLD"))
        assert pad.holds("Hello, WORLD")
    finally:
        tap(XK.XK_Caps_Lock)
        typist.close()


def test_it_is_not_ready_while_a_modifier_is_held(display: str) -> None:
    typist = XTestTypist()
    assert typist.is_ready()
    x = Display()
    code = x.keysym_to_keycode(XK.XK_Control_L)
    xtest.fake_input(x, X.KeyPress, code)
    x.sync()
    assert not typist.is_ready()
    xtest.fake_input(x, X.KeyRelease, code)
    x.sync()
    assert typist.is_ready()
    x.close()
    typist.close()


def test_no_key_stays_down(pad: Pad) -> None:
    typist = XTestTypist()
    typist.write(Edit(0, "ABC {}"))
    assert pad.holds("ABC {}")
    x = Display()
    assert not any(x.query_keymap())
    x.close()
    typist.close()


def test_what_one_that_was_killed_left_lent_is_free_again(pad: Pad) -> None:
    killed = XTestTypist()
    killed.write(Edit(0, "абвгдежзийклмнопрсту"))
    typist = XTestTypist()
    typist.write(Edit(0, "αβγδεζηθικλμνξο"))
    assert pad.holds("абвгдежзийклмнопрстуαβγδεζηθικλμνξο")
    typist.close()
    killed.close()


def test_keys_of_the_layout_are_never_lent(pad: Pad) -> None:
    typist = XTestTypist()
    typist.write(Edit(0, "".join(map(chr, range(0x430, 0x450)))))
    x = Display()
    media = 0x1008FF12  # mute
    assert x.keysym_to_keycode(media)
    x.close()
    typist.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_a_server_the_error_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9999")
    with pytest.raises(DeviceError, match="no X server answers at :9999"):
        XTestTypist()


def test_letters_beyond_latin_are_named_by_their_number() -> None:
    assert keysym("a") == 0x61
    assert keysym("é") == 0xE9
    assert keysym("ж") == 0x1000436
    assert keysym("\n") == XK.XK_Return


def tap(symbol: int) -> None:
    x = Display()
    code = x.keysym_to_keycode(symbol)
    for kind in (X.KeyPress, X.KeyRelease):
        xtest.fake_input(x, kind, code)
    x.sync()
    x.close()
    time.sleep(0.05)
