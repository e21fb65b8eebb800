"""The facts of a bundle, bundle.toml, read and replaced as a whole."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from streamasr.edge.bundle import FACTS_FILE
from streamasr.errors import MissingExtra


def read_facts(folder: Path) -> dict[str, Any]:
    """Everything that a bundle states, unchecked."""
    return tomllib.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))


def write_facts(folder: Path, info: dict[str, Any]) -> None:
    """Write beside and rename; comments are lost."""
    try:
        import tomli_w
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "tomli_w", "train") from None
    file = folder / FACTS_FILE
    partial = file.with_suffix(".partial")
    partial.write_text(tomli_w.dumps(info), encoding="utf-8")
    partial.rename(file)
