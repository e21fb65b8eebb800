import os
import socket
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

from streamasr.app.dictation.checkup import check_focus, check_typing
from streamasr.app.doctor import Status
from streamasr.edge.dictation.keyboards import UINPUT
from tests.desktop import missing, x_server


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if reason := missing("Xvfb", modules=("Xlib",)):
        pytest.skip(reason)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with x_server() as name:
        monkeypatch.setenv("DISPLAY", name)
        yield


@pytest.mark.usefixtures("display")
def test_on_x11_all_is_well_and_the_way_is_named() -> None:
    typing, focus = check_typing(os.environ), check_focus(os.environ)
    assert (typing.status, focus.status) == (Status.OK, Status.OK)
    assert typing.found.startswith("by xtest: X11's XTEST")
    assert typing.remedy == ""
    assert "X11 tells" in focus.found


def test_on_wayland_that_does_not_answer_each_better_way_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    environ = {"WAYLAND_DISPLAY": "wayland-99", "HOME": str(tmp_path)}
    typing, focus = check_typing(environ), check_focus(environ)
    assert typing.status is Status.WARN
    assert "wtype: not installed: apt install wtype" in typing.remedy
    assert "ibus: IBus does not run: apt install ibus" in typing.remedy
    assert "ydotool: no ydotoold, 1.0 or newer, listens at" in typing.remedy
    assert focus.status is Status.WARN
    assert "keep the window" in focus.remedy


@pytest.mark.skipif(find_library("xkbcommon") is None, reason="needs libxkbcommon0")
def test_on_the_console_the_kernels_keyboard_types_and_its_layout_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ydotoold:
        ydotoold.bind(str(tmp_path / "socket"))
        environ = {"YDOTOOL_SOCKET": str(tmp_path / "socket"), "XKB_DEFAULT_LAYOUT": "de"}
        typing = check_typing(environ)
    assert typing.status is Status.OK
    way, _, why = typing.found.removeprefix("by ").partition(": ")
    assert way in ("uinput", "ydotool")
    assert why.startswith("the kernel's keyboard: letters of the layout German, others only by")


def test_without_a_desktop_nothing_is_amiss() -> None:
    assert check_typing({}).status is Status.OK
    if not os.access(UINPUT, os.W_OK):
        assert "--typing stdout" in check_typing({}).found
    assert check_focus({}).status is Status.OK
