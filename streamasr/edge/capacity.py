"""How many streams this machine carries in real time: measured while idle, and remembered.

    calibration = Calibration(settings)
    worker = EngineThread(open_engine, idle_work=calibration.measure)
    calibration.streams                  # None until it is known
    calibration.free(["greedy", "graph"])    # how many more beside these two

A few streams of recorded speech go through gate, model and decoder as those of clients do;
the processor time that takes, and what the event loop needs for the messages, is the cost of
a stream. Each kind of decoder has its own cost, and a stream counts by that of its kind. The
costs are kept in the cache, by machine and model, and read at the next start. A share of the
processor is left free.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from streamasr.core import nativesearch
from streamasr.core.audio import AudioDoor
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.hotwords import HotWord, heat
from streamasr.core.messages import ServerMessage
from streamasr.core.model import ModelFacts
from streamasr.core.options import StreamOptions, decoder_name, decoder_used
from streamasr.core.protocol import encode
from streamasr.core.recognizer import Engine
from streamasr.core.stream import Stream
from streamasr.edge.folders import cache_folder
from streamasr.edge.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 2
"""Counted up when what is measured changes."""
CLIP = Path(__file__).with_name("speech.flac")
Kind = Literal["greedy", "graph", "hotwords"]
"""What a stream's cost depends on: its decoder, and whether that searches in numpy."""
STREAMS: Mapping[Kind, int] = {"greedy": 64, "graph": 64, "hotwords": 8}
"""Measured side by side, or as many as the engine holds."""
HOT = ("lord", "palace", "mister")
"""Hot words to measure with."""
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
        self.usual: Kind = "greedy"
        """What a stream is until its client asks for something else."""
        self.costs: Mapping[Kind, float] = {}
        """Of each kind, seconds of one core for a second of audio; empty while not known."""

    @property
    def streams(self) -> int | None:
        """Streams of the usual kind that one worker carries; None while that is not known."""
        free = self.free(())
        return None if free is None else max(1, free)

    def free(self, kinds: Iterable[Kind]) -> int | None:
        """How many more of the usual kind one worker carries beside these."""
        return self._left(kinds, self.usual)

    def fits(self, kinds: Iterable[Kind], kind: Kind) -> bool:
        """Whether one worker carries a stream of this kind beside these; alone it always does."""
        kinds = list(kinds)
        left = self._left(kinds, kind)
        return not kinds or left is None or left > 0

    def _left(self, kinds: Iterable[Kind], kind: Kind) -> int | None:
        if not self.costs:
            return None
        cores = min(1.0, len(os.sched_getaffinity(0)) / self._workers)
        left = USE * cores - sum(map(self._cost, kinds))
        return max(0, int(left / self._cost(kind) + 1e-9))

    def _cost(self, kind: Kind) -> float:
        return self.costs.get(kind) or max(self.costs.values())

    def measure(self, engine: Engine) -> Iterator[None]:
        """Find the costs, in the cache or by slices of work; for `EngineThread`."""
        self.usual = kind_of(engine.facts, StreamOptions(decoder=decoder_name(self._decoder)))
        file = self._cache / f"capacity-{fingerprint(engine)}.json"
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            known = json.loads(file.read_text())["costs"].items()
            self.costs = {kind: float(cost) for kind, cost in known if kind in STREAMS}
            return
        costs: dict[Kind, float] = {}
        for kind, options in _kinds(engine.facts):
            best = math.inf
            for _ in range(TRIALS):  # what disturbs only ever adds
                spent = 0.0
                for part in _rehearse(engine, kind, options, self._clock):
                    spent += part
                    yield
                best = min(best, spent)
            costs[kind] = best + LOOP_COST
        self.costs = costs
        log.info(
            "measured: this machine carries %d streams a worker (%s); of a core one takes %s",
            self.streams,
            self.usual,
            ", ".join(f"{100 * cost:.2g} % {kind}" for kind, cost in costs.items()),
        )
        with suppress(OSError):
            self._cache.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps({"costs": costs}))
            partial.rename(file)


def kind_of(facts: ModelFacts, options: StreamOptions) -> Kind:
    """What a stream of these options costs as much as."""
    if options.grammar is not None or options.new_decoder is not None:
        return "graph"
    if decoder_used(facts, options.decoder) == "greedy":
        return "greedy"
    hot = options.hotwords
    return "hotwords" if hot is not None and len(hot.entries) else "graph"


def _kinds(facts: ModelFacts) -> Iterator[tuple[Kind, StreamOptions]]:
    """The kinds of stream that there can be."""
    yield "greedy", StreamOptions(decoder="greedy")
    if facts.graph is not None:
        yield "graph", StreamOptions(decoder="graph")
        hot = StreamOptions(decoder="graph", hotwords=heat(facts.graph, [*map(HotWord, HOT)]))
        if kind_of(facts, hot) == "hotwords":
            yield "hotwords", hot


def fingerprint(engine: Engine) -> str:
    """What the cost of a stream depends on, as a short name."""
    facts = engine.facts
    arcs = facts.graph.graph.arcs if facts.graph is not None else 0
    parts = (
        FORMAT, _processor(), os.cpu_count(), type(engine).__name__, facts.name,
        facts.state_size, facts.step_samples, len(facts.units), arcs,
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
    engine: Engine, kind: Kind, options: StreamOptions, clock: Callable[[], float]
) -> Iterator[float]:
    """Step streams of recorded speech; yields the cost of each slice, a second and stream."""
    import soundfile  # rarely needed, and slow to load

    samples, _ = soundfile.read(CLIP, dtype="int16")
    count = min(STREAMS[kind], engine.capacity)
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
