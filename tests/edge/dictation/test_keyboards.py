import socket
from pathlib import Path

import pytest

from streamasr.edge.dictation.keyboards import (
    EVENT,
    KernelKeyboard,
    YdotoolKeyboard,
    find_ydotoold,
    held_keys,
    is_caps_locked,
)
from streamasr.errors import DeviceError

SHIFT, A = 42, 30


def test_ydotoold_gets_one_event_a_message_and_no_two_keys_change_at_once(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        keyboard = YdotoolKeyboard(path)
        keyboard.tap(A, held=(SHIFT,))
        told = [EVENT.unpack(daemon.recv(100))[2:] for _ in range(8)]
        keyboard.close()
    assert told[1::2] == [(0, 0, 0)] * 4
    assert told[::2] == [(1, SHIFT, 1), (1, A, 1), (1, A, 0), (1, SHIFT, 0)]


def test_a_ydotoold_that_is_too_old_or_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"no ydotoold, 1\.0 or newer, listens"):
        YdotoolKeyboard(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "old"))
        old.listen()
        with pytest.raises(DeviceError, match=r"is older than 1\.0"):
            YdotoolKeyboard(tmp_path / "old")


def test_ydotoold_is_looked_for_where_nobody_else_can_listen() -> None:
    assert find_ydotoold({}) == Path("/run/.ydotool_socket")
    assert find_ydotoold({"XDG_RUNTIME_DIR": "/run/u"}) == Path("/run/u/.ydotool_socket")
    given = {"XDG_RUNTIME_DIR": "/run/u", "YDOTOOL_SOCKET": "/s"}
    assert find_ydotoold(given) == Path("/s")


def test_what_makes_no_keyboards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be opened: No such file"):
        KernelKeyboard(tmp_path / "uinput")
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match="makes no keyboard at"):
        KernelKeyboard(tmp_path / "file")


def test_where_no_keyboard_may_be_read_nothing_is_known_to_be_held(tmp_path: Path) -> None:
    (tmp_path / "event0").touch()
    assert held_keys(tmp_path) == set()
    assert not is_caps_locked(tmp_path)
