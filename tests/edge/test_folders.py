from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from streamasr.edge import bundle
from streamasr.edge.folders import NO_HOME, cache_folder, data_folder

NOBODY = 54_321
"""A user that the system does not know, as in a container or with systemd's DynamicUser."""


def test_the_folders_are_those_of_the_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert (data_folder(), cache_folder()) == (Path("/data/streamasr"), Path("/cache/streamasr"))
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert data_folder() == Path("/home/me/.local/share/streamasr")
    assert cache_folder() == Path("/home/me/.cache/streamasr")


def test_who_has_no_home_still_finds_the_shipped_models(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        pwd.getpwuid(NOBODY)
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    assert data_folder() == NO_HOME / ".local" / "share" / "streamasr"
    assert cache_folder() == NO_HOME / ".cache" / "streamasr"
    assert bundle.find("en-small").name == "en-small"
