"""How many words does the recogniser find where nobody speaks? There should be none.

    python bench/noise.py --noise DATA/noise --music MUSIC --hours 2 --save

Noise and music without words, as one stream for each kind and level, the source changing
every half minute: recordings below --noise, coloured noise, composed music (bench/music.py),
and what lies below --music (instrumental only). Levels are RMS below full scale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import soundfile
import soxr
import typer
from numpy.typing import NDArray

from bench.music import RATE, coloured, compose
from bench.report import finish
from streamasr.app.mixing import noise_files
from streamasr.core.events import Final, Partial, SpeechStarted
from streamasr.core.options import StreamOptions, decoder_name, decoder_used
from streamasr.core.recognizer import Recognizer
from streamasr.edge import bundle
from streamasr.edge.engines import open_engine

Floats = NDArray[np.float32]
LEVELS_DB = (-40.0, -30.0, -20.0, -10.0)
PIECE_S = 30.0
BLOCK = RATE // 10
SLOPES = (0.0, 1.0, 2.0, -1.0)


@dataclass
class Tally:
    """What came out of a stream in which nobody spoke."""

    seconds: float = 0.0
    openings: int = 0
    shown: int = 0
    """Utterances of which a partial or a final was shown."""
    finals: int = 0
    words: int = 0

    def per_hour(self) -> dict[str, float]:
        hours = self.seconds / 3600
        return {
            "hours": round(hours, 3),
            "openings": round(self.openings / hours, 1),
            "shown": round(self.shown / hours, 1),
            "finals": round(self.finals / hours, 1),
            "words": round(self.words / hours, 1),
        }

    def __iadd__(self, other: Tally) -> Tally:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def listen(recognizer: Recognizer, pieces: Iterator[Floats], options: StreamOptions) -> Tally:
    tally, shown = Tally(), set()
    with recognizer.stream(options) as stream:
        events = []
        for piece in pieces:
            tally.seconds += len(piece) / RATE
            for start in range(0, len(piece), BLOCK):
                events += stream.accept(piece[start : start + BLOCK])
        for event in [*events, *stream.finish()]:
            tally.openings += isinstance(event, SpeechStarted)
            if isinstance(event, Partial | Final):
                shown.add(event.utterance)
            if isinstance(event, Final):
                tally.finals += 1
                tally.words += len(event.text.split())
    tally.shown = len(shown)
    return tally


def sources(kind: str, files: list[Path], count: int, seed: int) -> Iterator[Floats]:
    """``count`` pieces of a kind, float32 at 16 kHz, at any level."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        if kind == "coloured":
            slope, waver = SLOPES[number % len(SLOPES)], float(rng.choice((0.0, 3.0, 8.0)))
            yield coloured(rng, seconds=PIECE_S, slope=slope, waver=waver)
        elif kind == "composed":
            yield compose(rng, seconds=PIECE_S)
        else:
            yield excerpt(files[int(rng.integers(len(files)))], rng)


def excerpt(file: Path, rng: np.random.Generator) -> Floats:
    """Half a minute from a random place, the recording repeated where it is short."""
    with soundfile.SoundFile(file) as recording:
        wanted = round(PIECE_S * recording.samplerate)
        recording.seek(int(rng.integers(max(1, recording.frames - wanted))))
        samples = recording.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
        mono = soxr.resample(samples, recording.samplerate, RATE)
    return np.resize(np.asarray(mono, np.float32), round(PIECE_S * RATE))


def at_level(pieces: Iterator[Floats], level_db: float) -> Iterator[Floats]:
    for piece in pieces:
        rms = float(np.sqrt(np.mean(piece**2))) + 1e-9
        yield np.clip(piece * np.float32(10 ** (level_db / 20) / rms), -1, 1)


def main(
    noise: Path | None = None,
    music: Path | None = None,
    hours: float = 0.5,
    model: str | None = None,
    decoder: str = "auto",
    presence: bool = True,
    seed: int = 0,
    save: bool = False,
) -> None:
    path = bundle.find(model)
    engine = open_engine(path, device="cpu", decoder=decoder_name(decoder))
    recognizer = Recognizer(engine)
    options = StreamOptions(decoder=decoder_used(engine.facts, "auto"), presence=presence)
    kinds: dict[str, list[Path]] = {"coloured": [], "composed": []}
    if noise is not None:
        kinds["recorded noise"] = noise_files(noise)
    if music is not None:
        kinds["recorded music"] = noise_files(music)
    count = max(1, round(hours * 3600 / PIECE_S / len(kinds) / len(LEVELS_DB)))
    total, rows = Tally(), {}
    print(f"{'per hour':<16} {'hours':>6} {'openings':>9} {'shown':>7} {'finals':>7} {'words':>7}")
    for kind, files in kinds.items():
        tally, levels = Tally(), {}
        for index, level in enumerate(LEVELS_DB):
            pieces = sources(kind, files, count, seed * 100 + index)
            found = listen(recognizer, at_level(pieces, level), options)
            levels[f"{level:g}"] = found.per_hour()["words"]
            tally += found
        rows[kind] = tally.per_hour() | {"words_by_level_db": levels}
        total += tally
        show(kind, tally)
    show("all", total)
    how = {"model": path.name, "decoder": options.decoder, "presence": presence}
    finish("noise", how | {"all": total.per_hour(), "kinds": rows}, save=save)


def show(name: str, tally: Tally) -> None:
    row = tally.per_hour()
    print(
        f"{name:<16} {row['hours']:>6.2f} {row['openings']:>9.1f} {row['shown']:>7.1f}"
        f" {row['finals']:>7.1f} {row['words']:>7.1f}",
        flush=True,
    )


if __name__ == "__main__":
    typer.run(main)
