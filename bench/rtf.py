"""How much computing does live audio cost: one stream, and many as one batch?

    python bench/rtf.py [--model NAME] [--save]

One stream: a real clip goes block by block through the whole recogniser (gate, features,
network, decoder) on one thread; real-time factor is computing time over audio time.
Batched: the engine alone steps B streams at once; streams a core is B times the step's
audio over the step's time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.report import CLIPS, finish
from streamasr.app.mixing import read_clip
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge import bundle
from streamasr.edge.engines import open_engine

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def one_stream(engine: Engine, clip: np.ndarray, repeats: int) -> float:
    """Median real-time factor of the whole recogniser, gate held open."""
    recognizer = Recognizer(engine)
    block = SAMPLE_RATE // 10
    factors = []
    for _ in range(repeats):
        with recognizer.stream(StreamOptions()) as stream:
            started = time.perf_counter()
            for start in range(0, len(clip), block):
                stream.accept(clip[start : start + block])
            stream.finish()
            factors.append((time.perf_counter() - started) * SAMPLE_RATE / len(clip))
    return float(np.median(factors))


def batched(engine: Engine, clip: np.ndarray, size: int, seconds: float) -> float:
    """Median seconds of one step of ``size`` streams."""
    step = engine.facts.step_samples
    slots = [engine.open() for _ in range(size)]
    starts = np.random.default_rng(0).integers(0, len(clip) - step, size)
    batch = [(slot, clip[s : s + step]) for slot, s in zip(slots, starts, strict=True)]
    engine.step(batch)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 5:
        started = time.perf_counter()
        engine.step(batch)
        times.append(time.perf_counter() - started)
    for slot in slots:
        engine.close(slot)
    return float(np.median(times))


def main(model: str | None = None, seconds: float = 2.0, save: bool = False) -> None:
    path = bundle.find(model)
    engine = open_engine(path, device="cpu", threads=1, capacity=max(BATCHES))
    clip = np.concatenate([read_clip(f) for f in sorted(CLIPS.glob("*.flac"))])
    one_stream(engine, clip, 1)
    factor = one_stream(engine, clip, 5)
    step_s = engine.facts.step_samples / SAMPLE_RATE
    print(f"one stream, one thread: real-time factor {factor:.4f} (budget 0.015)")
    print(f"{'batch':>6} {'step ms':>9} {'streams a core':>15}")
    table = {}
    for size in BATCHES:
        took = batched(engine, clip, size, seconds)
        table[size] = {"step_ms": round(took * 1e3, 3), "streams": round(size * step_s / took)}
        print(f"{size:>6} {took * 1e3:>9.3f} {size * step_s / took:>15.0f}")
    best = max(row["streams"] for row in table.values())
    figures = {
        "model": path.name,
        "rtf_one_stream": round(factor, 5),
        "streams_per_core": best,
        "batches": table,
    }
    finish("rtf", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
