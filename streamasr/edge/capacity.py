"""How many streams this machine carries in real time: measured while idle, and remembered.

    calibration = Calibration(settings)
    worker = EngineThread(open_engine, idle_work=calibration.measure)
    calibration.streams                  # None until it is known

A few streams of recorded speech go through gate, model and decoder as those of clients do;
the processor time that takes, and what the event loop needs for the messages, is the cost of
a stream. It is kept in the cache, by machine, model and decoder, and read at the next start.
The estimate is for the daemon's own decoder and leaves a share of the processor free.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from streamasr.core import nativesearch
from streamasr.core.audio import AudioDoor
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import ServerMessage
from streamasr.core.options import StreamOptions, decoder_used
from streamasr.core.protocol import encode
from streamasr.core.recognizer import Engine
from streamasr.core.stream import Stream
from streamasr.edge.lm.compile import cache_folder
from streamasr.edge.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 1
"""Counted up when what is measured changes."""
CLIP = Path(__file__).with_name("speech.flac")
STREAMS = 64
"""Measured side by side, or as many as the engine holds."""
SECONDS = 2.4
TRIALS = 3
MESSAGE = SAMPLE_RATE // 10
LOOP_COST = 0.0012
"""Seconds of the event loop for a second of audio in messages of 100 ms (bench/load.py)."""
USE = 0.8
"""Of a core; the rest is for what comes in bursts."""


class Calibration:
    """The cost of a stream, as far as it is known."""

    def __init__(self, settings: Settings, cache: Path | None = None) -> None:
        self._workers = settings.server.workers
        self._decoder = settings.server.decoder
        # one thread's own time is not disturbed by what else runs here
        self._clock = time.thread_time if settings.server.threads == 1 else time.perf_counter
        self._cache = cache_folder() if cache is None else cache
        self.cost: float | None = None
        """Seconds of one core for a second of audio."""

    @property
    def streams(self) -> int | None:
        """Streams that one worker carries; None while that is not known."""
        if self.cost is None:
            return None
        cores = min(1.0, len(os.sched_getaffinity(0)) / self._workers)
        return max(1, int(USE * cores / self.cost))

    def measure(self, engine: Engine) -> Iterator[None]:
        """Find the cost, in the cache or by slices of work; for `EngineThread`."""
        decoder = decoder_used(engine.facts, self._decoder)  # type: ignore[arg-type]
        file = self._cache / f"capacity-{fingerprint(engine, decoder)}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            self.cost = float(json.loads(file.read_text())["cost"])
            return
        best = math.inf
        for _ in range(TRIALS):  # what disturbs only ever adds
            spent = 0.0
            for part in _rehearse(engine, StreamOptions(decoder=decoder), self._clock):
                spent += part
                yield
            best = min(best, spent)
        self.cost = cost = best + LOOP_COST
        log.info("measured: this machine carries %d streams a worker (%s)", self.streams, decoder)
        with suppress(OSError):
            self._cache.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps({"cost": cost, "decoder": decoder}))
            partial.rename(file)


def fingerprint(engine: Engine, decoder: str) -> str:
    """What the cost of a stream depends on, as a short name."""
    facts = engine.facts
    arcs = facts.graph.graph.arcs if facts.graph is not None else 0
    parts = (
        FORMAT, _processor(), os.cpu_count(), type(engine).__name__, facts.name,
        facts.state_size, facts.step_samples, len(facts.units), decoder, arcs,
        nativesearch.is_available(),
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()


def _rehearse(
    engine: Engine, options: StreamOptions, clock: Callable[[], float]
) -> Iterator[float]:
    """Step streams of recorded speech; yields the cost of each slice, a second and stream."""
    import soundfile  # rarely needed, and slow to load

    samples, _ = soundfile.read(CLIP, dtype="int16")
    count = min(STREAMS, engine.capacity)
    slots: list[int] = []
    try:
        slots += (engine.open() for _ in range(count))
        streams = [Stream(engine.facts, options) for _ in slots]
        doors = [AudioDoor("s16le", SAMPLE_RATE) for _ in slots]
        turned = [np.roll(samples, -number * len(samples) // count).tobytes() for number in slots]
        for at in range(0, round(SECONDS * SAMPLE_RATE), MESSAGE):
            began = clock()
            for stream, door, audio in zip(streams, doors, turned, strict=True):
                stream.accept(door.accept(audio[2 * at : 2 * (at + MESSAGE)]))
            _step_all(engine, slots, streams)
            yield (clock() - began) / (SECONDS * count)
    finally:
        for slot in slots:
            engine.close(slot)


def _step_all(engine: Engine, slots: list[int], streams: list[Stream]) -> None:
    """Step whatever is ready until nothing is, and write what is to be told."""
    while True:
        ready = [
            (slot, stream, work)
            for slot, stream in zip(slots, streams, strict=True)
            if (work := stream.take()) is not None
        ]
        if not ready:
            return
        for slot, _, work in ready:
            if work.fresh:
                engine.reset(slot)
        answers = engine.step([(slot, work.samples) for slot, _, work in ready])
        for (_, stream, _), answer in zip(ready, answers, strict=True):
            stream.push(answer)
            for event in stream.events():
                message: ServerMessage = event
                encode(message)
