import os
from pathlib import Path

import pytest

from streamasr.edge.dictation.ways import UNASKED, WAYS, best_way, open_typist, survey
from streamasr.errors import DeviceError, UsageError
from tests.desktop import Pad


def test_on_x11_the_best_way_is_xtest(pad: Pad) -> None:
    assert best_way(os.environ) == "xtest"
    typist = open_typist("auto", os.environ)
    assert typist.name == "xtest"
    typist.close()


def test_without_a_desktop_nothing_can_type_and_every_way_says_why() -> None:
    ways = {way.name: way for way in survey({})}
    assert list(ways) == list(WAYS)
    kernel = [name for name in ("uinput", "ydotool") if ways[name].works]
    assert [way.name for way in ways.values() if way.works] == [*kernel, "stdout"]
    assert all(way.why for way in ways.values())
    if not kernel:
        with pytest.raises(DeviceError, match="--typing stdout prints"):
            best_way({})


def test_standard_output_is_taken_only_where_it_is_asked_for() -> None:
    assert "stdout" not in UNASKED
    assert open_typist("stdout", {}).name == "stdout"


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="cannot type by wtype: not installed: apt install wtype"):
        open_typist("wtype", {"WAYLAND_DISPLAY": "wayland-9"})
    with pytest.raises(UsageError, match="no way to type is called 'pen'"):
        open_typist("pen", {})
