"""Where the program keeps files of its own: the XDG base directories.

A user who has no home, as that of a systemd service with ``DynamicUser=`` or of a container that
runs under any number, is no error: nothing is found there, and nothing can be kept.
"""

from __future__ import annotations

import os
from pathlib import Path

NO_HOME = Path("/nonexistent")
"""What Debian gives to users without a home."""


def data_folder() -> Path:
    """What is one user's own: models, and speech that was asked for."""
    return _folder("XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path:
    """What can be made again: compiled graphs, measured capacity, rules of spelling."""
    return _folder("XDG_CACHE_HOME", ".cache")


def _folder(variable: str, usual: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else home() / usual) / "streamasr"


def home() -> Path:
    """The user's home, or NO_HOME."""
    try:
        return Path.home()
    except RuntimeError:
        return NO_HOME
