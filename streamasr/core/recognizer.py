"""The synchronous driver: one engine, any number of streams, audio in and events out.

    recognizer = Recognizer(engine)
    with recognizer.stream() as stream:
        for block in blocks:
            show(stream.accept(block))
        show(stream.finish())

The daemon drives the same `Stream` objects in batches (see ``edge.worker``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from streamasr.core.events import Event
from streamasr.core.hotwords import HotWords
from streamasr.core.model import Emissions, ModelFacts
from streamasr.core.options import StreamOptions
from streamasr.core.stream import Stream

Samples = NDArray[np.float32]


class Engine(Protocol):
    """Steps an acoustic model for many streams; one owner, not thread-safe."""

    @property
    def facts(self) -> ModelFacts: ...

    @property
    def capacity(self) -> int: ...

    def open(self) -> int:
        """Claim a slot with fresh state; raises CapacityError when all are taken."""
        ...

    def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
        """Advance each slot by one step.

        Each item is (slot, samples [step_samples]). A slot appears at most once in a batch.
        """
        ...

    def reset(self, slot: int) -> None:
        """Give the slot fresh state."""
        ...

    def close(self, slot: int) -> None:
        """Free the slot."""
        ...


class Recognizer:
    """Makes streams over one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def facts(self) -> ModelFacts:
        return self.engine.facts

    def stream(self, options: StreamOptions | None = None) -> RecognizerStream:
        return RecognizerStream(self.engine, options or StreamOptions())


class RecognizerStream:
    """One stream with its slot; every call returns the events that it caused."""

    def __init__(self, engine: Engine, options: StreamOptions) -> None:
        self._engine = engine
        self._slot = engine.open()
        self._stream = Stream(engine.facts, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def position(self) -> int:
        """Samples received so far, gaps included."""
        return self._stream.position

    def accept(self, samples: Samples) -> list[Event]:
        """Take audio: float32 [n] at 16 kHz in -1..1, any n."""
        self._stream.accept(samples)
        return self._run()

    def gap(self, samples: int) -> list[Event]:
        """Account for lost audio."""
        self._stream.gap(samples)
        return self._run()

    def expect(self, hotwords: HotWords | None) -> None:
        """Let other words be expected, from the next utterance on."""
        self._stream.expect(hotwords)

    def flush(self) -> list[Event]:
        """End the open utterance; the stream stays usable."""
        self._stream.flush()
        return self._run()

    def finish(self) -> list[Event]:
        """End the open utterance and refuse more audio."""
        self._stream.finish()
        return self._run()

    def reset(self) -> None:
        """Forget the open utterance and everything not yet decoded."""
        self._stream.reset()

    def close(self) -> None:
        """Free the slot; calling it twice is harmless."""
        if self._slot >= 0:
            self._engine.close(self._slot)
            self._slot = -1

    def _run(self) -> list[Event]:
        while (work := self._stream.take()) is not None:
            if work.fresh:
                self._engine.reset(self._slot)
            (emissions,) = self._engine.step([(self._slot, work.samples)])
            self._stream.push(emissions)
        return self._stream.events()
