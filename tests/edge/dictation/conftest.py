from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop import Pad, Terminal, missing, x_server


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server without a screen, for a module."""
    if reason := missing("Xvfb", modules=("Xlib",)):
        pytest.skip(reason)
    with x_server() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", name)
        patch.delenv("WAYLAND_DISPLAY", raising=False)
        yield name


@pytest.fixture
def pad(display: str, tmp_path: Path) -> Iterator[Pad]:
    """A window that has the focus."""
    if reason := missing("setxkbmap", modules=("tkinter",)):
        pytest.skip(reason)
    pad = Pad(display, tmp_path)
    pad.focus()
    yield pad
    pad.close()


@pytest.fixture
def terminal(display: str, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal that has the focus."""
    if reason := missing("xterm"):
        pytest.skip(reason)
    terminal = Terminal(display, tmp_path)
    terminal.focus()
    yield terminal
    terminal.close()
