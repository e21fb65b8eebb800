"""How many streams an engine carries in real time, and whether it still hears the same.

All streams step together, as an engine's do that never waits: the step of N streams must take no
longer than the audio that it covers, at the 95th percentile. Streams play clips one after the
other, from different places on. What each hears of its first whole clip is compared with what
the CPU engine hears of that clip alone.

    engine = open_engine(path, capacity=4096)
    figures = measure(engine, open_engine(path, device="cpu"), clips)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.app.wer import count_errors
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.model import ModelFacts
from streamasr.core.units import BLANK, Units
from streamasr.edge.engines.base import SlottedEngine

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
WARM_UP = 5
TICKS = 60
"""Steps in one trial."""
PRECISION = 0.03
"""How closely the largest number of streams is found."""


class Playback:
    """Clips cut into steps, each with the tail of silence that an utterance gets."""

    def __init__(self, clips: Sequence[Floats], facts: ModelFacts) -> None:
        step, tail = facts.step_samples, facts.tail_steps
        parts = [np.pad(clip, (0, -len(clip) % step + tail * step)) for clip in clips]
        self.steps = np.concatenate(parts).reshape(-1, step)
        """[steps, step_samples]."""
        lengths = [len(part) // step for part in parts]
        ends = np.cumsum(lengths)
        self.clips = [slice(int(e) - n, int(e)) for e, n in zip(ends, lengths, strict=True)]
        self.first = np.zeros(len(self.steps), bool)
        """Where an utterance begins."""
        self.first[[clip.start for clip in self.clips]] = True

    @property
    def ticks(self) -> int:
        """Steps in which every stream plays some clip from its beginning to its end."""
        return 2 * max(clip.stop - clip.start for clip in self.clips)


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened when some streams stepped together."""

    streams: int
    step_s: Floats
    """How long each step took."""
    rows: Ints
    """Which row of the playback each stream played [ticks, streams]."""
    best: Ints
    """The best unit of each emission [ticks, streams, outputs]."""

    def percentile_ms(self, share: float) -> float:
        return float(np.percentile(self.step_s, share) * 1000)


def try_streams(
    engine: SlottedEngine, playback: Playback, streams: int, ticks: int = TICKS
) -> Trial:
    """Step so many streams together; filling the inbox is not timed, all else is."""
    slots = np.array([engine.open() for _ in range(streams)])
    starts = np.random.default_rng(0).integers(0, len(playback.steps), streams)
    rows = (starts + np.arange(WARM_UP + ticks)[:, None]) % len(playback.steps)
    took, best = [], []
    for row in rows:
        engine.inbox[:streams] = playback.steps[row]
        began = time.perf_counter()
        for slot in slots[playback.first[row]].tolist():
            engine.reset(slot)
        answers = engine.step_rows(slots)
        took.append(time.perf_counter() - began)
        best.append(answers.units.argmax(axis=2).astype(np.int32))
    for slot in reversed(slots.tolist()):
        engine.close(slot)
    return Trial(streams, np.array(took[WARM_UP:]), rows[WARM_UP:], np.array(best[WARM_UP:]))


def largest(try_: Callable[[int], Trial], step_s: float, most: int) -> int:
    """The largest number of streams up to ``most`` whose step keeps up; 0 if one does not."""

    def keeps_up(streams: int) -> bool:
        return try_(streams).percentile_ms(95) <= step_s * 1000

    good, bad = 0, 1
    while bad <= most and keeps_up(bad):
        good, bad = bad, 2 * bad
    if bad > most:
        if good == most or keeps_up(most):
            return most
        bad = most
    while bad - good > max(1, PRECISION * good):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if keeps_up(middle) else (good, middle)
    return good


def compare(trial: Trial, playback: Playback, reference: SlottedEngine) -> dict[str, Any]:
    """Texts of each stream's first whole clip against ``reference`` hearing the clip alone."""
    units = reference.facts.units
    alone = {
        clip.start: _text(_listen(reference, playback, clip), units) for clip in playback.clips
    }
    lengths = {clip.start: clip.stop - clip.start for clip in playback.clips}
    texts = different = words = errors = 0
    for stream in range(trial.streams):
        rows = trial.rows[:, stream]
        for begin in np.flatnonzero(playback.first[rows]):
            row = int(rows[begin])
            if begin + lengths[row] > len(rows):
                continue
            heard = _text(trial.best[begin : begin + lengths[row], stream], units)
            texts, words = texts + 1, words + len(alone[row].split())
            if heard != alone[row]:
                different += 1
                errors += count_errors(alone[row].split(), heard.split()).total
            break
    return {"texts": texts, "different": different, "words": words, "words_different": errors}


def measure(
    engine: SlottedEngine,
    reference: SlottedEngine,
    clips: Sequence[Floats],
    watch: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Find the largest number of streams, and compare texts there; ``watch`` is told of trials."""
    playback = Playback(clips, engine.facts)
    step_s = engine.facts.step_samples / SAMPLE_RATE

    def try_(streams: int, ticks: int = TICKS) -> Trial:
        trial = try_streams(engine, playback, streams, ticks)
        watch(f"{streams} streams: p95 {trial.percentile_ms(95):.1f} ms")
        return trial

    one = try_(1)
    streams = largest(try_, step_s, engine.capacity)
    trial = try_(max(1, streams), playback.ticks)
    while streams > 1 and trial.percentile_ms(95) > step_s * 1000:
        streams = round(streams * (1 - PRECISION))  # the trial that let it through was lucky
        trial = try_(streams, playback.ticks)
    return {
        "device": engine.device,
        "streams": streams,
        "capacity": engine.capacity,
        "step_ms": {f"p{q}": round(trial.percentile_ms(q), 2) for q in (50, 95, 99)},
        "one_stream_ms": round(one.percentile_ms(50), 3),
        "one_stream_rtf": round(one.percentile_ms(50) / step_s / 1000, 5),
        **compare(trial, playback, reference),
    }


def _listen(engine: SlottedEngine, playback: Playback, clip: slice) -> Ints:
    """The best units [steps, outputs] of one clip, alone."""
    slot, best = engine.open(), []
    for samples in playback.steps[clip]:
        (answer,) = engine.step([(slot, samples)])
        best.append(answer.units.argmax(axis=1))
    engine.close(slot)
    return np.array(best)


def _text(best: Ints, units: Units) -> str:
    """What greedy decoding makes of the best units of an utterance."""
    return units.text(int(unit) for unit, _ in groupby(best.flatten()) if unit != BLANK)
