"""Keyboards that know keys, not letters: one of our own by /dev/uinput, and that of ydotool's
daemon; and which keys people hold.

    keyboard = KernelKeyboard()
    keyboard.tap(30, held=(42,))        # Shift and A
    held_keys()                         # {29}: Ctrl
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from streamasr.errors import DeviceError

UINPUT, DEVICES = Path("/dev/uinput"), Path("/dev/input")
RULE = 'KERNEL=="uinput", TAG+="uaccess", OPTIONS+="static_node=uinput"'
"""What has udev let the person at the machine make keyboards."""
NAME = b"streamasr keyboard"
EVENT = struct.Struct("llHHi")
"""When (the kernel's business), type, code and value."""
SETUP = struct.Struct("HHHH80sI")
SYN, KEY = 0, 1
BUS_VIRTUAL = 6
LAST_KEY = 127
LEFT_SHIFT, INSERT = 42, 110
MODIFIERS = frozenset({29, 42, 54, 56, 97, 100, 125, 126})
"""Ctrl, Shift, Alt, AltGr and Super, left and right."""
CAPS_LED = 1
NOTICED_S = 1.0
"""What a compositor gets to notice a new keyboard; what is typed before is lost."""
TAP_S = 0.008
"""Between two taps: the kernel keeps some ten for a compositor that is busy, and loses more."""


def _request(direction: int, group: str, number: int, size: int) -> int:
    """What the kernel calls a request, on nearly every machine."""
    return direction << 30 | size << 16 | ord(group) << 8 | number


CREATE, DESTROY = _request(0, "U", 1, 0), _request(0, "U", 2, 0)
DEVICE_SETUP = _request(1, "U", 3, SETUP.size)
USE_TYPE, USE_KEY = _request(1, "U", 100, 4), _request(1, "U", 101, 4)
HELD, LIT = (0x18, 96), (0x19, 8)
"""Which keys are down and which LEDs are on, with the bytes of the answer."""


class Keyboard(Protocol):
    """Presses keys, which have the kernel's numbers."""

    def tap(self, code: int, held: Sequence[int] = ()) -> None:
        """Press and release a key while others are held; raises DeviceError."""
        ...

    def close(self) -> None: ...


def _events(code: int, held: Sequence[int]) -> Iterator[bytes]:
    """One key after the other, since what changes at once is in no order."""
    presses = [(one, 1) for one in (*held, code)]
    for key, value in (*presses, (code, 0), *((one, 0) for one in reversed(held))):
        yield EVENT.pack(0, 0, KEY, key, value)
        yield EVENT.pack(0, 0, SYN, 0, 0)


class KernelKeyboard:
    """A keyboard that is there as long as this is open; raises DeviceError."""

    def __init__(self, path: Path = UINPUT) -> None:
        try:
            self._device = os.open(path, os.O_WRONLY)
        except OSError as why:
            raise DeviceError(f"{path} cannot be opened: {why.strerror}") from why
        try:
            fcntl.ioctl(self._device, USE_TYPE, KEY)
            for code in range(1, LAST_KEY + 1):
                fcntl.ioctl(self._device, USE_KEY, code)
            fcntl.ioctl(self._device, DEVICE_SETUP, SETUP.pack(BUS_VIRTUAL, 1, 1, 1, NAME, 0))
            fcntl.ioctl(self._device, CREATE)
        except OSError as why:
            os.close(self._device)
            raise DeviceError(f"the kernel makes no keyboard at {path}: {why.strerror}") from why
        self._noticed = time.monotonic() + NOTICED_S

    def tap(self, code: int, held: Sequence[int] = ()) -> None:
        time.sleep(max(TAP_S, self._noticed - time.monotonic()))
        try:
            # in one piece, so that no key stays down whatever happens to this process
            os.write(self._device, b"".join(_events(code, held)))
        except OSError as why:
            raise DeviceError(f"the keyboard failed: {why.strerror}") from why

    def close(self) -> None:
        time.sleep(TAP_S)
        with suppress(OSError):
            fcntl.ioctl(self._device, DESTROY)
        os.close(self._device)


class YdotoolKeyboard:
    """The keyboard of ydotoold, 1.0 or newer, which takes the kernel's own events.

    Raises DeviceError where it does not run, does not let us in, or is older.
    """

    def __init__(self, path: Path) -> None:
        self._daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._daemon.connect(str(path))
        except OSError as why:
            self._daemon.close()
            raise DeviceError(_why_not(path, why)) from why

    def tap(self, code: int, held: Sequence[int] = ()) -> None:
        time.sleep(TAP_S)
        try:
            for event in _events(code, held):
                self._daemon.send(event)
        except OSError as why:
            raise DeviceError(f"ydotoold failed: {why.strerror}") from why

    def close(self) -> None:
        self._daemon.close()


def _why_not(path: Path, why: OSError) -> str:
    if isinstance(why, PermissionError):
        return f"no right to write {path}: start ydotoold with --socket-own=$(id -u):$(id -g)"
    if why.errno == errno.EPROTOTYPE:
        return f"the ydotoold at {path} is older than 1.0"
    return f"no ydotoold, 1.0 or newer, listens at {path}"


def find_ydotoold(environ: Mapping[str, str]) -> Path:
    """Where ydotool looks for its daemon, but for /tmp, where anybody could wait for text."""
    given = environ.get("YDOTOOL_SOCKET")
    return Path(given or Path(environ.get("XDG_RUNTIME_DIR") or "/run", ".ydotool_socket"))


def _bits(number: int, size: int, devices: Path) -> Iterator[bytes]:
    """What every keyboard that we may read answers."""
    for path in devices.glob("event*"):
        with suppress(OSError):
            device = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                yield fcntl.ioctl(device, _request(2, "E", number, size), bytes(size))
            finally:
                os.close(device)


def held_keys(devices: Path = DEVICES) -> set[int]:
    """The keys that are down; nothing where we are not in the group input, and may not know."""
    return {
        code
        for bits in _bits(*HELD, devices)
        for code in range(8 * len(bits))
        if bits[code // 8] >> code % 8 & 1
    }


def is_caps_locked(devices: Path = DEVICES) -> bool:
    """Whether a keyboard shows that Caps Lock is on."""
    return any(bits[0] >> CAPS_LED & 1 for bits in _bits(*LIT, devices))
