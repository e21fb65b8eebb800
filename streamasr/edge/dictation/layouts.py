"""Which keyboard layout is in use: the compositor's own, else what the settings name.

    find_layout(os.environ)         # the text of a keymap, or Names("de")

A compositor gives its keymap to every program that asks for a keyboard. The few messages are
spoken here, since the library for Wayland must be compiled wherever there is no wheel of it.
"""

from __future__ import annotations

import os
import shlex
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

from streamasr.edge.dictation.keymap import Names
from streamasr.errors import DeviceError

CONSOLE = Path("/etc/default/keyboard")
ANSWER_S = 5.0
PIECE, MOST_DESCRIPTORS = 4096, 4
WORD = struct.Struct("=I")
HEADER = struct.Struct("=II")
"""An object, then the length of the message in its upper half and what is asked or told."""
DISPLAY = 1
SYNC, GET_REGISTRY, BIND, GET_KEYBOARD = 0, 1, 0, 1
FIRST = 0
"""All that we listen for is the first event of its object."""
HAS_KEYBOARD = 2
XKB_TEXT = 1


def find_layout(environ: Mapping[str, str], console: Path = CONSOLE) -> str | Names:
    """The layout of this session; raises DeviceError where the compositor does not answer."""
    if environ.get("WAYLAND_DISPLAY"):
        return compositor_keymap(environ)
    fields = ("layout", "variant", "options", "model")
    if environ.get("XKB_DEFAULT_LAYOUT"):
        return Names(*(environ.get(f"XKB_DEFAULT_{field.upper()}", "") for field in fields))
    settings = {}
    with suppress(OSError, ValueError):
        for word in shlex.split(console.read_text(), comments=True):
            key, _, settings[key] = word.partition("=")
    return Names(*(settings.get(f"XKB{field.upper()}", "") for field in fields))


def compositor_keymap(environ: Mapping[str, str]) -> str:
    """The keymap of the compositor's seat, as text; raises DeviceError where there is none."""
    path = Path(environ.get("XDG_RUNTIME_DIR", "/run"), environ["WAYLAND_DISPLAY"])
    try:
        with socket.socket(socket.AF_UNIX) as connection, ExitStack() as stack:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            return _Conversation(connection, stack).keymap()
    except (OSError, struct.error) as why:
        raise DeviceError(
            f"the Wayland compositor at {path} does not tell its keymap: {why}",
            remedy="run it inside the desktop session",
        ) from why


class _Conversation:
    def __init__(self, connection: socket.socket, stack: ExitStack) -> None:
        self._connection, self._stack = connection, stack
        self._ids = count(DISPLAY + 1)
        self._descriptors: list[int] = []

    def keymap(self) -> str:
        registry, synced = self._new(DISPLAY, GET_REGISTRY), self._new(DISPLAY, SYNC)
        seat = keyboard = last = 0
        for thing, told, body in self._events():
            if told != FIRST or thing not in (DISPLAY, registry, synced, seat, keyboard, last):
                continue
            if thing == DISPLAY:
                raise OSError(f"it refuses: {_text(body[8:]).decode(errors='replace')}")
            if thing == registry and not seat and _text(body[4:]) == b"wl_seat":
                # its number, then the interface and the version that we take, then a name for it
                seat = self._new(registry, BIND, body[:4] + _string(b"wl_seat") + WORD.pack(1))
            elif thing == synced:
                last = self._new(DISPLAY, SYNC)
            elif thing == seat and not keyboard and WORD.unpack_from(body)[0] & HAS_KEYBOARD:
                keyboard = self._new(seat, GET_KEYBOARD)
                last = self._new(DISPLAY, SYNC)
            elif thing == last:
                raise OSError(f"it has no keyboard{' with a layout' if keyboard else ''}")
            elif thing == keyboard:
                format, size = HEADER.unpack_from(body)
                if format != XKB_TEXT or not self._descriptors:
                    raise OSError("its keyboard has no layout")
                return os.pread(self._descriptors[0], size, 0).rstrip(b"\0").decode()
        raise OSError("it hung up")

    def _new(self, thing: int, request: int, body: bytes = b"") -> int:
        """Ask for an object, which gets the next number."""
        number = next(self._ids)
        length = HEADER.size + len(body) + WORD.size
        message = HEADER.pack(thing, length << 16 | request) + body + WORD.pack(number)
        self._connection.sendall(message)
        return number

    def _events(self) -> Iterator[tuple[int, int, bytes]]:
        """The object, which of its events, and what that says; until the other side hangs up."""
        left = b""
        while True:
            while len(left) >= HEADER.size:
                thing, word = HEADER.unpack_from(left)
                length = max(word >> 16, HEADER.size)
                if len(left) < length:
                    break
                yield thing, word & 0xFFFF, left[HEADER.size : length]
                left = left[length:]
            piece, descriptors, _, _ = socket.recv_fds(self._connection, PIECE, MOST_DESCRIPTORS)
            for one in descriptors:
                self._stack.callback(os.close, one)
            self._descriptors += descriptors
            if not piece:
                return
            left += piece


def _string(text: bytes) -> bytes:
    padded = text + b"\0" * (4 - len(text) % 4)
    return WORD.pack(len(text) + 1) + padded


def _text(body: bytes) -> bytes:
    """The string that a message holds at its beginning, without its end."""
    (length,) = WORD.unpack_from(body)
    return body[4 : 4 + length].rstrip(b"\0")
