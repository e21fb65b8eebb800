"""Which keys type a letter in a keyboard layout, by libxkbcommon.

keymap = load_keymap(Names("de"))
keymap.strokes("@")             # (Stroke(16, (100,)),): AltGr and Q, as the kernel counts keys
keymap.strokes("ñ")             # a dead tilde, then n
keymap.strokes("Я")             # None: this layout has no key for it
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

from streamasr.errors import DeviceError

LIBRARY = "libxkbcommon.so.0"
TEXT_FORMAT = 1
KEYCODE_OFFSET = 8
"""What xkbcommon adds to the numbers of the kernel, as X does."""
TYPING = (*range(1, 84), 86, 89, 97, 100, 124, 125, 126)
"""Keys that keyboards have: layouts also give meanings to some that are none."""
CRITICAL = 10
DOWN = 1
COMPOSED = 2
KEYPAD = range(0xFF80, 0xFFBE)
"""Programs may take the keypad for something else than digits."""
DEAD = range(0xFE50, 0xFE94)
SHIFT_L, LEVEL3, LEVEL5 = 0xFFE1, 0xFE03, 0xFE11
NAMED = {0xFF08: "\b", 0xFF09: "\t", 0xFF0D: "\n"}
LOCALE = b"en_US.UTF-8"
"""Whose compose table most others share."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key to press while others are held, in the kernel's numbers."""

    code: int
    held: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """A layout as its settings name it; empty for what the environment or the library says."""

    layout: str = ""
    variant: str = ""
    options: str = ""
    model: str = ""


class _RuleNames(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")
    )


class Keymap:
    """The keys of every letter that a layout has, plain ones before those that need more held."""

    def __init__(self, strokes: Mapping[str, tuple[Stroke, ...]], name: str = "") -> None:
        """``name`` is the layout's, as people know it, such as German."""
        self._strokes, self.name = strokes, name

    def strokes(self, letter: str) -> tuple[Stroke, ...] | None:
        """What to press for a letter, line break, tab or backspace; None where nothing does."""
        return self._strokes.get(letter)


def load_keymap(source: str | Names, *, group: int = 0, is_locked: bool = False) -> Keymap:
    """A layout by the text that a compositor gives of it, or by its names.

    ``group`` counts the layouts that it holds, ``is_locked`` says that Caps Lock is on. Raises
    DeviceError where there is no such layout, or no library.
    """
    xkb = _library()
    context = xkb.xkb_context_new(0)
    xkb.xkb_context_set_log_level(context, CRITICAL)  # what is wrong is told by the error
    if isinstance(source, str):
        keymap = xkb.xkb_keymap_new_from_string(context, source.encode(), TEXT_FORMAT, 0)
    else:
        given = (source.model, source.layout, source.variant, source.options)
        # what is empty is left to the library, but a layout comes with its own variant
        texts = [text.encode() or (b"" if source.layout and at else None)
                 for at, text in enumerate(given)]  # fmt: skip
        names = _RuleNames(None, *texts)
        keymap = xkb.xkb_keymap_new_from_names(context, ctypes.byref(names), 0)
    if not keymap:
        what = "that the compositor gives" if isinstance(source, str) else f"{source.layout!r}"
        raise DeviceError(
            f"the keyboard layout {what} cannot be read", remedy="apt install xkb-data"
        )
    try:
        known = _symbols(xkb, keymap, group, is_locked)
        strokes: dict[str, tuple[Stroke, ...]]
        strokes = {letter: (stroke,) for letter, (_, stroke) in known.letters.items()}
        for letter, dead in _composed(xkb, context, known):
            strokes.setdefault(letter, dead)
        name = xkb.xkb_keymap_layout_get_name(keymap, group) or b""
        return Keymap(strokes, name.decode())
    finally:
        xkb.xkb_keymap_unref(keymap)
        xkb.xkb_context_unref(context)


@dataclass(slots=True)
class _Known:
    letters: dict[str, tuple[int, Stroke]]
    """Letter -> its name in X and how it is typed."""
    dead: dict[int, Stroke]


def _symbols(xkb: Any, keymap: Any, group: int, is_locked: bool) -> _Known:
    """Press every key with every choice of modifiers held, and see what it means."""
    lock = 1 << xkb.xkb_keymap_mod_get_index(keymap, b"Lock") if is_locked else 0
    shifts: list[int] = []

    def meanings(held: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        state = xkb.xkb_state_new(keymap)
        xkb.xkb_state_update_mask(state, 0, 0, lock, 0, 0, group)
        for one in held:
            xkb.xkb_state_update_key(state, one + KEYCODE_OFFSET, DOWN)
        for code in TYPING:
            if symbol := xkb.xkb_state_key_get_one_sym(state, code + KEYCODE_OFFSET):
                yield code, symbol
        xkb.xkb_state_unref(state)

    plain = list(meanings(()))
    for wanted in (SHIFT_L, LEVEL3, LEVEL5):
        shifts += [code for code, symbol in plain if symbol == wanted][:1]
    known = _Known({}, {})
    for count in range(len(shifts) + 1):
        for held in combinations(shifts, count):
            for code, symbol in meanings(held):
                stroke = Stroke(code, held)
                point = xkb.xkb_keysym_to_utf32(symbol)
                if symbol in DEAD:
                    known.dead.setdefault(symbol, stroke)
                elif symbol in NAMED:
                    known.letters.setdefault(NAMED[symbol], (symbol, stroke))
                elif point >= 0x20 and point != 0x7F and symbol not in KEYPAD:
                    known.letters.setdefault(chr(point), (symbol, stroke))
    return known


def _composed(xkb: Any, context: Any, known: _Known) -> Iterator[tuple[str, tuple[Stroke, Stroke]]]:
    """What a dead key makes of the letters; nothing where compose tables are not installed."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    table = xkb.xkb_compose_table_new_from_locale(context, locale.encode(), 0)
    table = table or xkb.xkb_compose_table_new_from_locale(context, LOCALE, 0)
    if not table:
        return
    state = xkb.xkb_compose_state_new(table, 0)
    text = ctypes.create_string_buffer(16)
    for dead, first in known.dead.items():
        for symbol, second in known.letters.values():
            xkb.xkb_compose_state_reset(state)
            xkb.xkb_compose_state_feed(state, dead)
            xkb.xkb_compose_state_feed(state, symbol)
            if xkb.xkb_compose_state_get_status(state) == COMPOSED:
                xkb.xkb_compose_state_get_utf8(state, text, len(text))
                yield text.value.decode(), (first, second)
    xkb.xkb_compose_state_unref(state)
    xkb.xkb_compose_table_unref(table)


@cache
def _library() -> Any:
    """libxkbcommon with its types told; raises DeviceError where it is not installed."""
    try:
        xkb = ctypes.CDLL(LIBRARY)
    except OSError:
        raise DeviceError(
            f"{LIBRARY} is not installed", remedy="apt install libxkbcommon0 xkb-data"
        ) from None
    pointer, number, text = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p
    for name, result, *arguments in (
        ("context_new", pointer, ctypes.c_int),
        ("context_set_log_level", None, pointer, ctypes.c_int),
        ("context_unref", None, pointer),
        ("keymap_new_from_names", pointer, pointer, pointer, ctypes.c_int),
        ("keymap_new_from_string", pointer, pointer, text, ctypes.c_int, ctypes.c_int),
        ("keymap_unref", None, pointer),
        ("keymap_mod_get_index", number, pointer, text),
        ("keymap_layout_get_name", text, pointer, number),
        ("state_new", pointer, pointer),
        ("state_unref", None, pointer),
        ("state_update_mask", number, pointer, *[number] * 6),
        ("state_update_key", number, pointer, number, ctypes.c_int),
        ("state_key_get_one_sym", number, pointer, number),
        ("keysym_to_utf32", number, number),
        ("compose_table_new_from_locale", pointer, pointer, text, ctypes.c_int),
        ("compose_table_unref", None, pointer),
        ("compose_state_new", pointer, pointer, ctypes.c_int),
        ("compose_state_unref", None, pointer),
        ("compose_state_reset", None, pointer),
        ("compose_state_feed", ctypes.c_int, pointer, number),
        ("compose_state_get_status", ctypes.c_int, pointer),
        ("compose_state_get_utf8", ctypes.c_int, pointer, pointer, ctypes.c_size_t),
    ):
        function = getattr(xkb, f"xkb_{name}")
        function.restype, function.argtypes = result, arguments
    return xkb
