"""Decoded audio kept as one flat int16 file, so that an epoch reads memory, not Opus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.manifest import Utterance
from streamasr.app.mixing import read_clip


class AudioCache:
    """Samples of every utterance, by index, from one memory-mapped file."""

    def __init__(self, folder: Path, utterances: Sequence[Utterance]) -> None:
        key = hashlib.sha256("\n".join(str(u.path) for u in utterances).encode()).hexdigest()[:16]
        self._data_file = folder / f"audio-{key}.i16"
        index_file = folder / f"audio-{key}.json"
        if not index_file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            index_file.write_text(json.dumps(self._build(utterances)))
        self._offsets: list[int] = json.loads(index_file.read_text())
        self._map: NDArray[np.int16] | None = None

    def _build(self, utterances: Sequence[Utterance]) -> list[int]:
        offsets = [0]
        partial = self._data_file.with_suffix(".partial")
        with partial.open("wb") as out:
            for utterance in utterances:
                samples = np.clip(read_clip(utterance.path), -1.0, 1.0) * 32767.0
                out.write(samples.astype(np.int16).tobytes())
                offsets.append(offsets[-1] + len(samples))
        partial.rename(self._data_file)
        return offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def samples(self, index: int) -> int:
        return self._offsets[index + 1] - self._offsets[index]

    def __getitem__(self, index: int) -> NDArray[np.int16]:
        if self._map is None:  # opened late so that worker processes map it themselves
            self._map = np.memmap(self._data_file, np.int16, "r")
        return self._map[self._offsets[index] : self._offsets[index + 1]]
