import json
import os
from pathlib import Path

import pytest

from streamasr.edge.dictation.display import UNKNOWN, Window
from streamasr.edge.dictation.focus import NoFocus, SwayFocus, XFocus, _focused, find_focus
from tests.desktop import Pad, until


def test_on_x11_the_server_tells(pad: Pad) -> None:
    focus = find_focus(os.environ)
    assert isinstance(focus, XFocus)
    until(lambda: focus.window().program == "Pad", "the focus is not told")
    focus.close()


def test_where_nobody_tells_the_focus_is_unknown() -> None:
    for environ in ({}, {"WAYLAND_DISPLAY": "wayland-9"}):
        focus = find_focus(environ)
        assert isinstance(focus, NoFocus)
        assert focus.window() == UNKNOWN


def test_the_focused_window_of_a_tree_is_found() -> None:
    leaf = {"id": 7, "type": "con", "focused": True, "app_id": "foot", "nodes": []}
    tree = {"id": 1, "nodes": [{"id": 2, "nodes": [{"id": 3}, leaf], "floating_nodes": []}]}
    assert _focused(json.loads(json.dumps(tree))) == Window("sway:7", "foot")
    empty = {"id": 1, "nodes": [{"id": 4, "type": "workspace", "focused": True}]}
    assert _focused(empty) == UNKNOWN
    old = {"id": 8, "type": "floating_con", "focused": True, "app_id": None,
           "window_properties": {"class": "XTerm"}}  # fmt: skip
    assert _focused({"nodes": [], "floating_nodes": [old]}) == Window("sway:8", "XTerm")


def test_a_sway_that_does_not_answer_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert SwayFocus().window() == UNKNOWN
