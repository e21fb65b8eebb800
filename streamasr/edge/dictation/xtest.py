"""Typing on X11 by the XTEST extension: any layout, any letter.

    typist = XTestTypist()
    typist.write(Edit(0, "naïve 🙂"))

Each letter is looked up in the layout that is in use; one that the layout lacks is lent to a
key that has no meaning, and the key is given back at the end. Press and release leave in one
packet, so that no key stays down whatever happens to this process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.display import XDisplay
from streamasr.errors import DeviceError

KEY_PAUSE_S = 0.002
LENT_PAUSE_S = 0.06
"""Programs must have seen that a key has another meaning before it is pressed."""
RELENT_PAUSE_S = 0.5
"""And have read what was typed with it, before it gets yet another one."""
UNICODE, LAST_UNICODE = 0x01000000, 0x0110FFFF
BACKSPACE, TAB, RETURN = 0xFF08, 0xFF09, 0xFF0D
SHIFT_L, LEVEL3 = 0xFFE1, 0xFE03
NO_SYMBOL = 0
SHIFT, LOCK, CONTROL, ALT, SUPER, ALTGR = 1, 2, 4, 8, 64, 128
HELD = SHIFT | CONTROL | ALT | SUPER | ALTGR


@dataclass(frozen=True, slots=True)
class Key:
    """How a letter is typed."""

    code: int
    shift: bool = False
    level3: bool = False


def keysym(letter: str) -> int:
    """The X name of a letter."""
    special = {"\n": RETURN, "\t": TAB, "\b": BACKSPACE}
    if letter in special:
        return special[letter]
    point = ord(letter)
    return point if 0x20 <= point <= 0x7E or 0xA0 <= point <= 0xFF else UNICODE + point


OLD_NAMES = {UNICODE + ord("€"): 0x20AC, UNICODE + ord("œ"): 0x13BD, UNICODE + ord("Œ"): 0x13BC,
             UNICODE + ord("š"): 0x1B9, UNICODE + ord("Š"): 0x1A9, UNICODE + ord("ž"): 0x1BE,
             UNICODE + ord("Ž"): 0x1AE, UNICODE + ord("Ÿ"): 0x13BE}  # fmt: skip
"""Letters that layouts call by a name from before Unicode."""


class XTestTypist:
    """Presses keys on the X server that DISPLAY names; raises DeviceError where it cannot."""

    name = "xtest"
    corrects = True

    def __init__(self, display: XDisplay | None = None) -> None:
        self._x = display or XDisplay()
        self._x.require("XTEST")
        self._lent: dict[int, int] = {}  # keysym -> keycode that we gave it, oldest first
        self._layout: dict[int, list[int]] = {}

    def is_ready(self) -> bool:
        """Whether no modifier is held: letters would become shortcuts."""
        return not self._x.modifiers() & HELD

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        text = "\b" * edit.erase + edit.text
        with self._x.errors():
            at = 0
            while at < len(text):
                self._layout = self._x.layout()
                keys = self._keys(text[at:])
                at += self._press(text[at:], keys, soft_breaks=soft_breaks)

    def _press(self, text: str, keys: dict[str, Key], *, soft_breaks: bool) -> int:
        """Type the letters up to the first without a key; how many that were."""
        shift, level3 = self._code(SHIFT_L), self._code(LEVEL3)
        is_locked = bool(self._x.modifiers() & LOCK)
        for count, letter in enumerate(text):
            key = keys.get(letter)
            if key is None:
                return count
            is_shifted = key.shift or (soft_breaks and letter == "\n")
            if is_locked and letter.lower() != letter.upper() and not self._is_lent(key.code):
                is_shifted = not is_shifted
            self._x.tap(key.code, [shift] * is_shifted + [level3] * key.level3)
            time.sleep(KEY_PAUSE_S)
        return len(text)

    def press(self, symbol: int, *, shift: bool = False) -> None:
        """Press one key by its X name, such as 0xFF63 for Insert; raises DeviceError."""
        with self._x.errors():
            self._layout = self._x.layout()
            code = self._code(symbol)
            if not code:
                raise DeviceError(f"the keyboard has no key 0x{symbol:x}")
            self._x.tap(code, [self._code(SHIFT_L)] * shift)

    def settle(self) -> None:
        pass

    def close(self) -> None:
        """Give the lent keys back and leave."""
        with self._x.quietly():
            for code in self._lent.values():
                self._x.map(code, NO_SYMBOL)
            self._x.sync()
        self._x.close()

    def _code(self, symbol: int) -> int:
        return next((c for c, symbols in self._layout.items() if symbol in symbols[:2]), 0)

    def _keys(self, text: str) -> dict[str, Key]:
        """Keys for the letters of a text, from the first on; lent ones where the layout has none.

        It ends where no further key can be lent. Raises DeviceError where none can at all.
        """
        known = self._known()
        keys: dict[str, Key] = {}
        lent_before = dict(self._lent)
        taken_back = False
        for letter in dict.fromkeys(text):
            symbol = keysym(letter)
            key = known.get(symbol) or known.get(OLD_NAMES.get(symbol, -1))
            if key is None:
                code = self._lent.pop(symbol, None) or self._free()
                if code is None:
                    code = self._oldest({key.code for key in keys.values()})
                    if code is None:
                        break
                    if not taken_back:
                        taken_back = True
                        time.sleep(RELENT_PAUSE_S)
                if lent_before.get(symbol) != code:
                    self._x.map(code, symbol)
                self._lent[symbol] = code
                key = Key(code)
            keys[letter] = key
        if not keys:
            raise DeviceError(
                f"the keyboard layout has no key for {text[0]!r}, and none to lend",
                remedy="choose another way to type, such as paste",
            )
        if self._lent != lent_before:
            self._x.sync()
            time.sleep(LENT_PAUSE_S)
        return keys

    def _known(self) -> dict[int, Key]:
        """The letters that the layout in use has; the plainest key of each."""
        group = 2 * self._x.group()
        levels = [(group, Key(0)), (group + 1, Key(0, shift=True))]
        if self._code(LEVEL3):
            levels += [(group + 4, Key(0, level3=True)), (group + 5, Key(0, True, True))]
        own = [(c, symbols) for c, symbols in self._layout.items() if not self._is_lent(c)]
        found: dict[int, Key] = {}
        for place, how in levels:
            for code, symbols in own:
                if place < len(symbols) and symbols[place] != NO_SYMBOL:
                    found.setdefault(symbols[place], Key(code, how.shift, how.level3))
        return found

    def _is_lent(self, code: int) -> bool:
        """Whether a key was lent, by us or by one of us that was killed: no layout has such."""
        meanings = {symbol for symbol in self._layout[code] if symbol}
        is_left_over = len(meanings) == 1 and UNICODE <= min(meanings) <= LAST_UNICODE
        return is_left_over or code in self._lent.values()

    def _free(self) -> int | None:
        """A key that means nothing, or is left over."""
        ours = set(self._lent.values())
        for code, symbols in self._layout.items():
            if code not in ours and (not any(symbols) or self._is_lent(code)):
                return code
        return None

    def _oldest(self, busy: set[int]) -> int | None:
        """The key that was lent first and is not needed now, taken back."""
        for symbol, code in self._lent.items():
            if code not in busy:
                return self._lent.pop(symbol)
        return None
