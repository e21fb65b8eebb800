"""Typing as a keyboard of the kernel's: in any window, and on the console too.

    typist = KernelTypist("uinput", KernelKeyboard(), Layout(os.environ), clipboard)
    typist.write(Edit(0, "naïve 🙂"))

The kernel knows keys, not letters: the layout in use says which. A letter that it has no key
for is pasted, or replaced by one that looks like it where there is no clipboard.
"""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Callable, Mapping

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.clipboard import PASTE_S, Clipboard
from streamasr.edge.dictation.keyboards import (
    INSERT,
    LEFT_SHIFT,
    MODIFIERS,
    Keyboard,
    held_keys,
    is_caps_locked,
)
from streamasr.edge.dictation.keymap import Keymap, load_keymap
from streamasr.edge.dictation.layouts import find_layout
from streamasr.errors import DeviceError

log = logging.getLogger(__name__)

LOOKALIKES = dict(zip("–—‒−‐‘’‚“”„«»•·×\N{NO-BREAK SPACE}", '-----\'\'\'"""""**x ', strict=True))
NOTHING_LIKE_IT = "?"


class Layout:
    """The layout in use, asked for anew from time to time: people switch."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: dict[bool, Keymap] = {}

    def keymap(self, *, is_locked: bool = False) -> Keymap:
        """With Caps Lock on or off; raises DeviceError where it cannot be known."""
        if is_locked not in self._known:
            self._known[is_locked] = load_keymap(find_layout(self._environ), is_locked=is_locked)
        return self._known[is_locked]

    def forget(self) -> None:
        self._known.clear()


class KernelTypist:
    """Types by a keyboard that knows keys only; raises DeviceError."""

    corrects = True

    def __init__(
        self,
        name: str,
        keyboard: Keyboard,
        layout: Layout,
        clipboard: Clipboard | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._keyboard, self._layout, self._clipboard = keyboard, layout, clipboard
        self._sleep = sleep

    def is_ready(self) -> bool:
        """Whether no modifier is held, as far as we may see that."""
        return not held_keys() & MODIFIERS

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        keymap = self._layout.keymap(is_locked=is_caps_locked())
        self._type(keymap, "\b" * edit.erase)
        for number, line in enumerate(edit.text.split("\n")):
            if number:
                self._type(keymap, "\n", held=(LEFT_SHIFT,) if soft_breaks else ())
            self._write_line(keymap, line)

    def _write_line(self, keymap: Keymap, line: str) -> None:
        lacking = [at for at, letter in enumerate(line) if keymap.strokes(letter) is None]
        if not lacking:
            self._type(keymap, line)
        else:
            first, after = lacking[0], lacking[-1] + 1
            self._type(keymap, line[:first])
            if not self._paste(line[first:after]):
                self._type(keymap, "".join(nearest(one, keymap) for one in line[first:after]))
            self._type(keymap, line[after:])

    def _type(self, keymap: Keymap, text: str, held: tuple[int, ...] = ()) -> None:
        for letter in text:
            strokes = keymap.strokes(letter)
            if strokes is None:
                raise DeviceError(
                    f"the keyboard layout {keymap.name} has no key for {letter!r}",
                    remedy="choose a layout that has, or another way to type",
                )
            for stroke in strokes:
                self._keyboard.tap(stroke.code, (*held, *stroke.held))

    def _paste(self, text: str) -> bool:
        """Whether there is a clipboard that takes it."""
        if self._clipboard is None:
            return False
        try:
            before = self._clipboard.read()
            self._clipboard.write([text, text])
        except DeviceError as why:
            log.warning("nothing can be pasted: %s", why)
            return False
        self.press_paste()
        self._sleep(PASTE_S)
        self._clipboard.write(before)
        return True

    def press_paste(self) -> None:
        """Shift and Insert, which no layout moves."""
        self._keyboard.tap(INSERT, (LEFT_SHIFT,))

    def settle(self) -> None:
        self._layout.forget()

    def close(self) -> None:
        self._keyboard.close()


def nearest(letter: str, keymap: Keymap) -> str:
    """The letter, or one that stands for it and has a key."""
    if keymap.strokes(letter) is not None:
        return letter
    plain = LOOKALIKES.get(letter) or unicodedata.normalize("NFKD", letter)[0]
    found = plain if keymap.strokes(plain) is not None else NOTHING_LIKE_IT
    log.warning("the layout %s lacks a letter; one like it is typed", keymap.name)
    return found
