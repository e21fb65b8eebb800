"""Manifests of speech: one folder a corpus, with ``manifest.tsv`` beside its audio.

Columns are id, path, duration_s, speaker, split, text; tab-separated, no quoting.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from streamasr.errors import ConfigError, UsageError

COLUMNS = ("id", "path", "duration_s", "speaker", "split", "text")
MANIFEST = "manifest.tsv"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording with its transcript."""

    id: str
    path: Path
    duration_s: float
    speaker: str
    split: str
    text: str
    corpus: str


def read_manifest(folder: Path) -> list[Utterance]:
    """Read a corpus; raises ConfigError that names the file and the line at fault."""
    file = folder / MANIFEST
    if not file.is_file():
        raise ConfigError(f"no {MANIFEST} in {folder}", remedy="give a corpus folder")
    utterances = []
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(f"{file} lacks the columns {', '.join(sorted(missing))}")
        for number, row in enumerate(reader, start=2):
            try:
                duration = float(row["duration_s"])
            except (TypeError, ValueError):
                raise ConfigError(
                    f"{file}:{number}: duration_s is {row['duration_s']!r}, not a number"
                ) from None
            utterances.append(
                Utterance(
                    id=row["id"],
                    path=folder / row["path"],
                    duration_s=duration,
                    speaker=row["speaker"],
                    split=row["split"],
                    text=row["text"],
                    corpus=folder.name,
                )
            )
    return utterances


def select(data: Path, corpora: Sequence[str], splits: Sequence[str]) -> Iterator[Utterance]:
    """Yield utterances corpus by corpus.

    A corpus is a folder below ``data``; "folder:split,split" overrides ``splits`` for it.
    """
    for corpus in corpora:
        folder, _, own = corpus.partition(":")
        wanted = own.split(",") if own else splits
        for utterance in read_manifest(data / folder):
            if utterance.split in wanted:
                yield utterance


def choose(
    utterances: Iterable[Utterance], *, split: str | None = None, limit: int | None = None
) -> list[Utterance]:
    """Those of a split, at most ``limit`` of them; raises UsageError where none is left."""
    found = list(utterances)
    chosen = [u for u in found if split in (None, u.split)]
    if not found:
        raise UsageError("the corpus has no utterances", remedy=f"see its {MANIFEST}")
    if not chosen:
        known = ", ".join(sorted({u.split for u in found}))
        raise UsageError(f"no utterance is in split {split!r}", remedy=f"the corpus has {known}")
    return thin_out(chosen, limit)


def thin_out(utterances: Sequence[T], limit: int | None) -> list[T]:
    """At most ``limit`` utterances, evenly over the list: a prefix is a few speakers only."""
    if limit is None or limit >= len(utterances):
        return list(utterances)
    return [utterances[i * len(utterances) // limit] for i in range(limit)]
