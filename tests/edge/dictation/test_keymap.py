from ctypes.util import find_library
from pathlib import Path

import pytest

from streamasr.edge.dictation.keymap import Keymap, Names, Stroke, load_keymap
from streamasr.errors import DeviceError

pytestmark = pytest.mark.skipif(
    find_library("xkbcommon") is None or not Path("/usr/share/X11/xkb").is_dir(),
    reason="needs libxkbcommon0 and xkb-data",
)
SHIFT, ALTGR = 42, 100
Q, Y, Z, SPACE, ENTER, BACKSPACE = 16, 21, 44, 57, 28, 14


def plain(keymap: Keymap, letter: str) -> Stroke:
    strokes = keymap.strokes(letter)
    assert strokes is not None
    (stroke,) = strokes
    return stroke


def test_a_letter_is_where_the_layout_has_it() -> None:
    us, de, fr = (load_keymap(Names(name)) for name in ("us", "de", "fr"))
    assert (us.name, de.name, fr.name) == ("English (US)", "German", "French")
    assert (plain(us, "z").code, plain(de, "z").code, plain(fr, "a").code) == (Z, Y, Q)
    assert plain(us, "Z") == Stroke(Z, (SHIFT,))
    assert plain(de, "@") == Stroke(Q, (ALTGR,))
    assert plain(de, "\n") == Stroke(ENTER)
    assert plain(de, "\b") == Stroke(BACKSPACE)


def test_dead_keys_make_what_no_key_has() -> None:
    fr = load_keymap(Names("fr"))
    assert fr.strokes("ê") == (Stroke(26), plain(fr, "e"))
    assert load_keymap(Names("de")).strokes("^") == (Stroke(41), Stroke(SPACE))
    assert load_keymap(Names("us")).strokes("ê") is None


@pytest.mark.parametrize("letter", ["Я", "🙂", "–"])
def test_what_a_layout_lacks_it_does_not_have(letter: str) -> None:
    assert load_keymap(Names("us")).strokes(letter) is None


@pytest.mark.parametrize("names", [Names("us"), Names("de", "neo"), Names("fr", "bepo")])
def test_every_printable_letter_of_ascii_can_be_typed(names: Names) -> None:
    keymap = load_keymap(names)
    assert [letter for letter in map(chr, range(0x20, 0x7F)) if not keymap.strokes(letter)] == []


def test_with_caps_lock_on_shift_makes_small_letters() -> None:
    locked = load_keymap(Names("de"), is_locked=True)
    assert plain(locked, "a").held == (SHIFT,)
    assert plain(locked, "A").held == ()
    assert plain(locked, "1").held == ()


def test_the_layout_in_use_of_several_is_counted() -> None:
    second = load_keymap(Names("us,de"), group=1)
    assert (second.name, plain(second, "z").code) == ("German", Y)


def test_no_layout_is_an_error_that_names_it() -> None:
    with pytest.raises(DeviceError, match="layout 'xx' cannot be read"):
        load_keymap(Names("xx"))
    with pytest.raises(DeviceError, match="that the compositor gives cannot be read"):
        load_keymap("no keymap")
