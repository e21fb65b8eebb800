"""Typing by the clipboard: the text is pasted, and what was there before is put back.

For programs that take keys badly. The paste is Shift+Insert, which no layout moves, so both
the clipboard and the selection hold the text meanwhile.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.typist import ANSWER_S, Call, Typist, call
from streamasr.errors import DeviceError

PASTE_S = 1.0
"""What a program gets to fetch what it pastes, before the clipboard is put back; one that is
slower would paste what was there before."""


class Clipboard:
    """Text on the clipboard and the primary selection, by wl-clipboard or xclip."""

    def __init__(self, reads: Sequence[Sequence[str]], writes: Sequence[Sequence[str]]) -> None:
        self._reads, self._writes = reads, writes

    def read(self) -> list[str]:
        """What is there; empty where it is no text."""
        found = []
        for args in self._reads:
            text = ""
            with suppress(DeviceError):
                text = call(Call(args))
            found.append(text)
        return found

    def write(self, texts: Sequence[str]) -> None:
        """Put a text on the clipboard, and one on the selection; raises DeviceError."""
        for args, text in zip(self._writes, texts, strict=True):
            try:
                # these programs go on in the background and keep what they inherited
                done = subprocess.run(
                    args,
                    input=text.encode(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=ANSWER_S,
                )
            except subprocess.TimeoutExpired:
                raise DeviceError(f"{args[0]} does not answer within {ANSWER_S:g} s") from None
            if done.returncode:
                raise DeviceError(f"{args[0]} cannot write the clipboard")


def find_clipboard(environ: Mapping[str, str]) -> Clipboard | None:
    """The clipboard of this session, or None where no program reaches it."""
    if environ.get("WAYLAND_DISPLAY"):
        if not shutil.which("wl-copy"):
            return None
        reads = [["wl-paste", "-n"], ["wl-paste", "-n", "-p"]]
        return Clipboard(reads, [["wl-copy"], ["wl-copy", "-p"]])
    if environ.get("DISPLAY") and shutil.which("xclip"):
        sides = ("clipboard", "primary")
        return Clipboard(
            [["xclip", "-o", "-selection", side] for side in sides],
            [["xclip", "-i", "-selection", side] for side in sides],
        )
    return None


class Paster:
    """Pastes what is to be typed; a keyboard of another kind presses the two keys for it."""

    corrects = False

    def __init__(
        self,
        clipboard: Clipboard,
        keyboard: Typist,
        paste: Callable[[], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = f"paste by {keyboard.name}"
        self._clipboard, self._keyboard, self._paste = clipboard, keyboard, paste
        self._sleep = sleep

    def is_ready(self) -> bool:
        return self._keyboard.is_ready()

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        if edit.erase:
            self._keyboard.write(Edit(edit.erase, ""))
        if not edit.text:
            return
        before = self._clipboard.read()
        self._clipboard.write([edit.text, edit.text])
        self._paste()
        self._sleep(PASTE_S)
        self._clipboard.write(before)

    def settle(self) -> None:
        pass

    def close(self) -> None:
        self._keyboard.close()


class Copier:
    """Only puts the text onto the clipboard: where nothing may press keys."""

    name = "clipboard"
    corrects = False

    def __init__(self, clipboard: Clipboard) -> None:
        self._clipboard = clipboard
        self._text = ""

    def is_ready(self) -> bool:
        return True

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        kept = len(self._text) - edit.erase
        self._text = self._text[: max(0, kept)] + edit.text
        self._clipboard.write([self._text, self._text])

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass
