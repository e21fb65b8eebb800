from pathlib import Path

import pytest

from streamasr.edge.dictation.display import UNKNOWN, XDisplay
from tests.desktop import Pad, missing, until, x_server


def test_the_focused_window_is_told_with_its_program(
    pad: Pad, display: str, tmp_path: Path
) -> None:
    x = XDisplay(display)
    first = pad.focus()
    until(lambda: x.focused().name == first, "the focus is not told")
    assert x.focused().program == "Pad"
    other = Pad(display, tmp_path, "Other")
    second = other.focus()
    until(lambda: x.focused().name == second, "the new focus is not told")
    assert x.focused().program == "Other"
    other.close()
    x.close()


def test_where_no_window_has_the_focus_it_is_unknown() -> None:
    if reason := missing("Xvfb", modules=("Xlib",)):
        pytest.skip(reason)
    with x_server() as name:
        x = XDisplay(name)
        assert x.focused() == UNKNOWN
        x.close()
