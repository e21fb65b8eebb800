import array
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamasr.edge.dictation.keymap import Names
from streamasr.edge.dictation.layouts import find_layout
from streamasr.errors import DeviceError

KEYMAP = "xkb_keymap { };"


def test_without_a_compositor_the_settings_name_the_layout(tmp_path: Path) -> None:
    console = tmp_path / "keyboard"
    console.write_text('# of the console\nXKBLAYOUT="de"\nXKBVARIANT=neo\nBACKSPACE=guess\n')
    assert find_layout({}, console) == Names("de", "neo")
    named = {"XKB_DEFAULT_LAYOUT": "fr", "XKB_DEFAULT_OPTIONS": "ctrl:nocaps"}
    assert find_layout(named, console) == Names("fr", "", "ctrl:nocaps")
    assert find_layout({}, tmp_path / "none") == Names()


def event(thing: int, told: int, body: bytes) -> bytes:
    return struct.pack("=II", thing, (8 + len(body)) << 16 | told) + body


def text(value: bytes) -> bytes:
    return struct.pack("=I", len(value) + 1) + value + b"\0" * (4 - len(value) % 4)


Serve = Callable[[socket.socket], None]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[[Serve], dict[str, str]]]:
    """A compositor that does what it is told to, once."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "wayland-7"))
    listener.listen()
    threads = []

    def start(serve: Serve) -> dict[str, str]:
        def run() -> None:
            with listener.accept()[0] as connection, suppress(OSError):
                serve(connection)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):  # what is unread would be a reset
                    pass

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return {"WAYLAND_DISPLAY": "wayland-7", "XDG_RUNTIME_DIR": str(tmp_path)}

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def seat(connection: socket.socket, capabilities: int) -> None:
    """Up to the seat: registry 2 and sync 3 were asked for, seat 4 and sync 5 are then."""
    connection.recv(24, socket.MSG_WAITALL)
    output = event(2, 0, struct.pack("=I", 1) + text(b"wl_output") + struct.pack("=I", 3))
    found = event(2, 0, struct.pack("=I", 9) + text(b"wl_seat") + struct.pack("=I", 7))
    for byte in output + found:  # as streams may come
        connection.send(bytes([byte]))
    bound = connection.recv(32, socket.MSG_WAITALL)
    assert struct.unpack("=III", bound[:12])[0] == 2
    assert (bound[8:12], bound[-4:]) == (struct.pack("=I", 9), struct.pack("=I", 4))
    connection.send(event(3, 0, bytes(4)) + event(4, 0, struct.pack("=I", capabilities)))


def test_the_compositor_gives_its_keymap(
    listening: Callable[[Serve], dict[str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "keymap"
    file.write_text(KEYMAP + "\0")

    def serve(connection: socket.socket) -> None:
        seat(connection, capabilities=3)
        keymap = os.open(file, os.O_RDONLY)
        body = struct.pack("=II", 1, len(KEYMAP) + 1)
        descriptors = array.array("i", [keymap])
        connection.sendmsg(
            [event(5, 0, bytes(4)) + event(6, 0, body)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )
        os.close(keymap)
        connection.recv(4096)

    assert find_layout(listening(serve)) == KEYMAP


def test_a_seat_without_a_keyboard_is_an_error(
    listening: Callable[[Serve], dict[str, str]],
) -> None:
    def serve(connection: socket.socket) -> None:
        seat(connection, capabilities=1)
        connection.recv(4096)
        connection.send(event(5, 0, bytes(4)))

    with pytest.raises(DeviceError, match="it has no keyboard"):
        find_layout(listening(serve))


def test_a_keyboard_without_a_keymap_is_an_error(
    listening: Callable[[Serve], dict[str, str]],
) -> None:
    def serve(connection: socket.socket) -> None:
        seat(connection, capabilities=3)
        connection.recv(4096)
        connection.send(event(7, 0, bytes(4)))

    with pytest.raises(DeviceError, match="it has no keyboard with a layout"):
        find_layout(listening(serve))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "it hung up"),
        (event(1, 0, bytes(8) + text(b"go away")), "it refuses: go away"),
        (event(2, 0, b"\1"), "unpack"),
    ],
)
def test_a_compositor_that_fails_is_an_error(
    listening: Callable[[Serve], dict[str, str]], answer: bytes, why: str
) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.send(answer)

    with pytest.raises(DeviceError, match=why):
        find_layout(listening(serve))


def test_no_compositor_is_an_error(tmp_path: Path) -> None:
    environ = {"WAYLAND_DISPLAY": "wayland-8", "XDG_RUNTIME_DIR": str(tmp_path)}
    with pytest.raises(DeviceError, match="does not tell its keymap"):
        find_layout(environ)
