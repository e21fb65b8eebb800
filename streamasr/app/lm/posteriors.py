"""What a model says of whole recordings, through the engine that the daemon runs.

Recordings are stepped side by side from fresh state, each with the tail of silence that
ends an utterance; there is no gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from streamasr.core.model import Emissions
from streamasr.core.recognizer import Engine
from streamasr.errors import BundleError

AT_ONCE = 16


def listen(engine: Engine, clips: Iterable[NDArray[np.float32]]) -> Iterator[Emissions]:
    """The emissions of each clip, float32 at 16 kHz, in order."""
    waiting = iter(clips)
    while group := list(islice(waiting, min(AT_ONCE, engine.capacity))):
        yield from _together(engine, group)


def _together(engine: Engine, clips: Sequence[NDArray[np.float32]]) -> Iterator[Emissions]:
    size, tail = engine.facts.step_samples, engine.facts.tail_steps
    counts = [-(-len(clip) // size) + tail for clip in clips]
    slots = [engine.open() for _ in clips]
    parts: list[list[Emissions]] = [[] for _ in clips]
    for step in range(max(counts)):
        running = [i for i, count in enumerate(counts) if step < count]
        batch = [(slots[i], _step(clips[i], step, size)) for i in running]
        for i, emissions in zip(running, engine.step(batch), strict=True):
            parts[i].append(emissions)
    for slot in slots:
        engine.close(slot)
    for part in parts:
        yield _joined(part)


def _step(clip: NDArray[np.float32], step: int, size: int) -> NDArray[np.float32]:
    piece = clip[step * size : (step + 1) * size]
    return np.pad(piece, (0, size - len(piece)))


def _joined(parts: Sequence[Emissions]) -> Emissions:
    phones = [part.phones for part in parts if part.phones is not None]
    if not phones:
        raise BundleError("the model has no phone head", remedy="train one with phones")
    return Emissions(np.concatenate([part.units for part in parts]), np.concatenate(phones))
