"""Forced alignments: frame targets for the phone head, and pauses to cut at.

A file ``<corpus>.jsonl.gz`` holds one JSON object a line: id, words and phones, each as
[label, start, duration] in 10 ms frames. Word labels may carry a variant, as in "to(2)";
"<sil>", "<s>" and "</s>" are no words.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONE_IDS

NO_TARGET = -100
_SILENCES = frozenset({"<sil>", "<s>", "</s>"})


@dataclass(frozen=True, slots=True)
class Span:
    """A word and its time in frames of 10 ms; ``end`` is exclusive."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Alignment:
    words: tuple[Span, ...]
    phones: NDArray[np.int8]
    """Phone class of every frame."""

    def agrees_with(self, text: str) -> bool:
        return [w.text for w in self.words] == text.split()

    def pauses(self, shortest: int) -> list[int]:
        """Indices i such that at least ``shortest`` frames lie between words i and i + 1."""
        return [
            i
            for i, (a, b) in enumerate(zip(self.words, self.words[1:], strict=False))
            if b.start - a.end >= shortest
        ]


def read_alignments(folder: Path, corpora: Iterable[str]) -> dict[tuple[str, str], Alignment]:
    """Read what there is for these corpora: (corpus, id) -> Alignment."""
    found = {}
    for corpus in corpora:
        file = folder / f"{corpus}.jsonl.gz"
        if not file.is_file():
            continue
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                found[corpus, entry["id"]] = _alignment(entry["words"], entry["phones"])
    return found


def _alignment(words: list[list[object]], phones: list[list[object]]) -> Alignment:
    spans = tuple(
        Span(str(label).partition("(")[0], int(str(start)), int(str(start)) + int(str(length)))
        for label, start, length in words
        if label not in _SILENCES
    )
    labels = [PHONE_IDS[str(label)] for label, _, _ in phones]
    lengths = [int(str(length)) for _, _, length in phones]
    first = int(str(phones[0][1])) if phones else 0
    frames = np.repeat(np.array(labels, np.int8), lengths)
    return Alignment(spans, np.concatenate([np.zeros(first, np.int8), frames]))


def phone_targets(
    frames: NDArray[np.int8], *, emissions: int, frames_per_emission: int, delay: float
) -> NDArray[np.int64]:
    """Sample phone classes at each emission: the phone that stood ``delay`` frames ago.

    An emission stands for the middle of its frames. Emissions that look before the first
    or past the last frame are silence.
    """
    centres = np.arange(emissions) * frames_per_emission + frames_per_emission / 2 - delay
    index = np.floor(centres).astype(np.int64)
    inside = (index >= 0) & (index < len(frames))
    if not len(frames):
        return np.zeros(emissions, np.int64)
    return np.where(inside, frames[np.clip(index, 0, len(frames) - 1)], 0).astype(np.int64)
