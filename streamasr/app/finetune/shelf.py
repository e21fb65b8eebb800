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
        """Keep a sentence that was read: float32 [n] at 16 kHz."""
        self.put(prompt.id, prompt.text, samples)

    def put(self, name: str, text: str, samples: Samples) -> None:
        """Keep speech: float32 [n] at 16 kHz; the line is written after its audio."""
        (self.folder / "audio").mkdir(parents=True, exist_ok=True)
        path = f"audio/{name}.flac"
        soundfile.write(self.folder / path, samples, SAMPLE_RATE, subtype="PCM_16")
        duration = len(samples) / SAMPLE_RATE
        row = (name, path, f"{duration:.3f}", SPEAKER, "train", text)
        lines = [] if self._manifest.is_file() else [COLUMNS]
        with self._manifest.open("a", encoding="utf-8") as manifest:
            manifest.write("".join("\t".join(line) + "\n" for line in [*lines, row]))
        self._durations[name] = duration

    def remove(self, name: str) -> None:
        """Delete the line of that name and its audio; lines that were edited stay as they are."""
        if self._manifest.is_file():
            lines = self._manifest.read_text(encoding="utf-8").splitlines(keepends=True)
            new = self._manifest.with_suffix(".new")
            kept = [line for line in lines if line.partition("\t")[0] != name]
            new.write_text("".join(kept), encoding="utf-8")
            new.replace(self._manifest)
        (self.folder / "audio" / f"{name}.flac").unlink(missing_ok=True)
        self._durations.pop(name, None)

    def prune(self) -> None:
        """Delete audio whose line somebody took out of the manifest."""
        for file in (self.folder / "audio").glob("*.flac"):
            if file.stem not in self._durations:
                file.unlink()
