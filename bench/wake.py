"""Any phrase as a wake phrase: how often is it missed, and how often heard where nobody said it?

    python bench/wake.py DATA [--save]

Phrases that were recorded by many people (short/picovoice_wakewords, short/precise_community)
through the path of `streamasr command`: gate, network, spotter, nothing trained for any of
them. False accepts are counted on LibriSpeech (test-clean and our dev readers) and on the
noises of DATA, as one stream; *confusables* are the recordings of all other phrases.
A phrase heard twice within a second counts once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.report import finish
from streamasr.app.manifest import read_manifest, thin_out
from streamasr.app.mixing import noise_files, read_clip
from streamasr.core.commands.wake import Spotter
from streamasr.core.decoder import DecodedWord
from streamasr.core.model import Emissions
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge import bundle
from streamasr.edge.commands.wake import WAYS
from streamasr.edge.engines import open_engine
from streamasr.edge.lm.pronounce import Pronouncer

PHRASES = (
    "alexa", "computer", "jarvis", "smart mirror", "snowboy", "view glass", "athena", "amelia",
    "hey savant",
)  # fmt: skip
LOWEST = -3.0
APART = 25
"""Emissions within which a phrase is heard but once."""
BLOCK = 1600
THRESHOLDS = tuple(round(-0.1 * n, 1) for n in range(2, 25))


class Ears:
    """A decoder that looks for all phrases and remembers where each was nearest."""

    text = ""
    quiet = 0

    def __init__(self, spotters: dict[str, Spotter], peaks: dict[str, list[float]]) -> None:
        self._spotters = spotters
        self._peaks = peaks
        self._last = dict.fromkeys(spotters, -APART)
        self._at = 0
        for spotter in spotters.values():
            spotter.reset()

    def push(self, emissions: Emissions) -> bool:
        assert emissions.phones is not None
        for row in emissions.phones:
            self._at += 1
            for name, spotter in self._spotters.items():
                spotter.push(row[None])
                if spotter.score < LOWEST:
                    continue
                if self._at - self._last[name] < APART:
                    self._peaks[name][-1] = max(self._peaks[name][-1], spotter.score)
                else:
                    self._peaks[name].append(spotter.score)
                self._last[name] = self._at
        return False

    def finish(self) -> None:
        pass

    def words(self) -> tuple[DecodedWord, ...]:
        return ()

    def alternatives(self, most: int) -> tuple[Any, ...]:
        return ()


def hear(
    recognizer: Recognizer, spotters: dict[str, Spotter], clips: Iterable[np.ndarray]
) -> tuple[dict[str, list[float]], float, float]:
    """Where each phrase was nearest in the clips, as one stream; seconds of audio and of work."""
    peaks: dict[str, list[float]] = {name: [] for name in spotters}
    options = StreamOptions(partials=False, new_decoder=lambda: Ears(spotters, peaks))
    seconds, worked = 0.0, 0.0
    with recognizer.stream(options) as stream:
        for clip in clips:
            seconds += len(clip) / 16_000
            begun = time.process_time()
            for start in range(0, len(clip), BLOCK):
                stream.accept(clip[start : start + BLOCK])
            stream.flush()
            worked += time.process_time() - begun
    return peaks, seconds, worked


def spotter_of(phrase: str, pronouncer: Pronouncer) -> Spotter:
    words = phrase.split()
    said = pronouncer(words)
    return Spotter(list(islice(product(*(said[word] for word in words)), WAYS)))


def recordings(data: Path) -> list[tuple[str, Path]]:
    corpora = (data / "short/picovoice_wakewords", data / "short/precise_community")
    return [(u.text, u.path) for corpus in corpora for u in read_manifest(corpus)]


def best(scores: Sequence[float]) -> float:
    return max(scores, default=LOWEST)


def main(data: Path, limit: int = 150, model: str | None = None, save: bool = False) -> None:
    """``limit`` recordings of each phrase, evenly spread."""
    engine = open_engine(bundle.find(model), device="cpu", decoder="graph")
    recognizer = Recognizer(engine)
    assert engine.facts.graph is not None
    pronouncer = Pronouncer(engine.facts.graph.pronounce)
    spotters = {phrase: spotter_of(phrase, pronouncer) for phrase in PHRASES}
    books = [u.path for u in read_manifest(data / "speech/librispeech_test_clean_a")]
    books += [
        u.path for u in read_manifest(data / "speech/librispeech_train_clean_5") if u.split == "dev"
    ]
    quiet = [*books, *noise_files(data / "noise")]
    false, seconds, _ = hear(recognizer, spotters, (read_clip(path) for path in quiet))
    hours = seconds / 3600
    one = {"jarvis": spotters["jarvis"]}
    _, some_s, some_work = hear(recognizer, one, (read_clip(path) for path in books[:60]))
    print(f"{hours:.2f} h without a phrase; {some_work / some_s:.4f} of a core for one phrase")
    nearest: dict[str, dict[str, list[float]]] = {p: {"own": [], "other": []} for p in PHRASES}
    found = recordings(data)
    chosen = [
        item for phrase in PHRASES for item in thin_out([i for i in found if i[0] == phrase], limit)
    ]
    others = [item for item in found if item[0] not in PHRASES]
    for text, path in [*chosen, *others]:
        peaks, _, _ = hear(recognizer, spotters, [read_clip(path)])
        for phrase in PHRASES:
            kind = "own" if text == phrase else "other"
            nearest[phrase][kind].append(best(peaks[phrase]))
    table = {}
    print("phrase | at <= 0.5 false/h: threshold, missed, confusables | at the default: the same")
    for phrase in PHRASES:
        own, other = (np.array(nearest[phrase][kind]) for kind in ("own", "other"))
        curve = [
            {
                "threshold": threshold,
                "false_per_hour": round(sum(s >= threshold for s in false[phrase]) / hours, 2),
                "missed": round(float((own < threshold).mean()), 4),
                "confusables": round(float((other >= threshold).mean()), 4),
            }
            for threshold in THRESHOLDS
        ]
        fine = [point for point in curve if point["false_per_hour"] <= 0.5]
        default = round(spotters[phrase].threshold, 1)
        usual = next(point for point in curve if point["threshold"] == default)
        table[phrase] = {"recordings": len(own), "at_half": fine[-1], "default": usual}
        table[phrase]["curve"] = curve
        print(phrase, len(own), fine[-1], usual)
    mean = {
        key: round(float(np.mean([row["default"][key] for row in table.values()])), 4)
        for key in ("false_per_hour", "missed", "confusables")
    }
    print("mean at the default:", mean)
    finish(
        "wake",
        {
            "hours": round(hours, 2), "core_share": round(some_work / some_s, 4),
            "mean_at_default": mean, "phrases": table,
        },
        save=save,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
