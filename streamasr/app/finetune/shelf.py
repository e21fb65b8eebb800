"""Recordings of one speaker on disk: a corpus folder that grows by a sentence at a time.

shelf = Shelf(folder)
shelf.add(prompt, samples)
shelf.seconds, prompt.id in shelf      # what a later session goes on from
"""

from __future__ import annotations

from pathlib import Path

import soundfile

from streamasr.app.finetune.prompts import Prompt
from streamasr.app.manifest import COLUMNS, MANIFEST, read_manifest
from streamasr.core.audio import Samples
from streamasr.core.features import SAMPLE_RATE

SPEAKER = "me"


class Shelf:
    """A folder with manifest.tsv and its audio; made where it is not there."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError where the manifest of an older session is broken."""
        self.folder = folder
        self._manifest = folder / MANIFEST
        self._durations: dict[str, float] = {}
        if self._manifest.is_file():
            self._durations = {u.id: u.duration_s for u in read_manifest(folder)}

    def __contains__(self, name: str) -> bool:
        return name in self._durations

    def __len__(self) -> int:
        return len(self._durations)

    @property
    def seconds(self) -> float:
        """Speech that lies here."""
        return sum(self._durations.values())

    def add(self, prompt: Prompt, samples: Samples) -> None:
        """Keep a sentence: float32 [n] at 16 kHz; the line is written after its audio."""
        (self.folder / "audio").mkdir(parents=True, exist_ok=True)
        path = f"audio/{prompt.id}.flac"
        soundfile.write(self.folder / path, samples, SAMPLE_RATE, subtype="PCM_16")
        duration = len(samples) / SAMPLE_RATE
        row = (prompt.id, path, f"{duration:.3f}", SPEAKER, "train", prompt.text)
        lines = [] if self._manifest.is_file() else [COLUMNS]
        with self._manifest.open("a", encoding="utf-8") as manifest:
            manifest.write("".join("\t".join(line) + "\n" for line in [*lines, row]))
        self._durations[prompt.id] = duration
