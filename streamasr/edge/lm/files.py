"""Text files that may be compressed: the ending of the name says how."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import TextIO


def open_text(file: Path) -> TextIO:
    """Open a UTF-8 text, .gz, .xz or plain; a broken file raises OSError or EOFError on reading."""
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8")
    if file.suffix == ".xz":
        return lzma.open(file, "rt", encoding="utf-8")
    return file.open(encoding="utf-8")


def write_text(text: str, file: Path) -> None:
    """Write beside and rename; compression gives the same bytes every time."""
    data = text.encode()
    if file.suffix == ".gz":
        data = gzip.compress(data, 9, mtime=0)
    elif file.suffix == ".xz":
        data = lzma.compress(data, preset=9)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(data)
    partial.rename(file)
