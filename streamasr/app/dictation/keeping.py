"""What was dictated, kept for `streamasr finetune` where the person asked for it.

    keeper = Keeper(kept_folder(), minutes=60)
    keeper.accept(stream.position, samples)
    keeper.final("hello world", start, end, style)

A folder of the user's alone: a file of audio for each utterance, and manifest.tsv with what was
understood, to be corrected there. It grows to so many minutes, then nothing more is kept.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streamasr.app.finetune.shelf import Shelf
from streamasr.app.manifest import Utterance, read_manifest
from streamasr.core.audio import Samples
from streamasr.core.dictation.marks import Piece
from streamasr.core.dictation.reading import read
from streamasr.core.dictation.style import Command, Style
from streamasr.core.features import SAMPLE_RATE
from streamasr.edge.folders import data_folder

BEFORE = AFTER = round(0.4 * SAMPLE_RATE)
"""Silence kept at both ends, as far as it was heard."""
REMEMBERED = 40 * SAMPLE_RATE
"""Audio that an utterance may still be cut from; none is longer than 30 s."""


def kept_folder() -> Path:
    return data_folder() / "speech" / "dictated"


class Keeper:
    """Cuts utterances out of what is heard and puts them on the shelf."""

    def __init__(
        self,
        folder: Path,
        *,
        minutes: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Makes the folder; raises ConfigError where its manifest is broken."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._shelf = Shelf(folder)
        self._shelf.prune()
        self._most_s = 60 * minutes
        self._now = now
        self._blocks: deque[tuple[int, Samples]] = deque()
        self._last = ""

    @property
    def folder(self) -> Path:
        return self._shelf.folder

    @property
    def is_full(self) -> bool:
        return self._shelf.seconds >= self._most_s

    def accept(self, at: int, samples: Samples) -> None:
        """Take audio: float32 [n], that the recogniser gets at this position."""
        self._blocks.append((at, samples))
        while self._blocks[0][0] + len(self._blocks[0][1]) < at - REMEMBERED:
            self._blocks.popleft()

    def final(self, text: str, start: int, end: int, style: Style) -> None:
        """Keep an utterance; "scratch that" takes the one before away, commands are not kept."""
        items = read(text.split(), style)
        if any(not isinstance(item, Piece) for item in items):
            if items[0] is Command.SCRATCH and self._last:
                self._shelf.remove(self._last)
            self._last = ""
        elif not self.is_full:
            samples = self._between(start - BEFORE, end + AFTER)
            if len(samples):
                self._last = f"{self._now():%Y%m%d-%H%M%S-%f}"
                self._shelf.put(self._last, text, samples)

    def _between(self, start: int, end: int) -> Samples:
        """What was heard of a stretch, without what was lost of it."""
        pieces = [
            samples[max(0, start - at) : max(0, end - at)]
            for at, samples in self._blocks
            if at < end and at + len(samples) > start
        ]
        return np.concatenate([np.zeros(0, np.float32), *pieces])


def kept(folder: Path) -> list[Utterance]:
    """What is there, oldest first; raises ConfigError where the manifest is broken."""
    if not folder.is_dir():
        return []
    shelf = Shelf(folder)
    shelf.prune()
    return read_manifest(folder) if len(shelf) else []


def forget(folder: Path) -> bool:
    """Delete all of it; whether there was anything."""
    if not folder.is_dir():
        return False
    shutil.rmtree(folder)
    return True
