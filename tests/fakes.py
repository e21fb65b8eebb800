"""Test doubles: an engine that hears, a detector that is plain, and audio to give them.

`ScriptedEngine` guarantees what a real model does: its answer depends on the samples of
the step and the state of the slot alone. The state reaches back over every sample since
the last reset, so audio that is lost, doubled or leaked comes out as different text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from streamasr.core.events import Event, Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.model import Emissions, ModelFacts
from streamasr.core.options import StreamOptions
from streamasr.core.stream import Stream
from streamasr.core.units import Units
from streamasr.core.vad import Gate, VadGate
from streamasr.errors import CapacityError

Samples = NDArray[np.float32]

UNITS = Units(("<blank>", "▁ka", "▁lo", "mi", "na", "▁", "tu", "▁zen"))
FACTS = ModelFacts(
    name="scripted",
    units=UNITS,
    step_samples=1280,
    outputs_per_step=2,
    state_size=4,
    latency_ms=80.0,
    tail_steps=2,
)


def is_audible(samples: Samples) -> bool:
    return float(np.abs(samples).mean()) > 0.01


@dataclass
class _Ear:
    """The state of a slot."""

    late: list[NDArray[np.float32]]
    memory: int = 0


class ScriptedEngine:
    """Says a unit for each emission that is audible, chosen by everything heard so far.

    Answers come ``delay`` emissions late, so the last word of an utterance needs the tail.
    """

    def __init__(self, capacity: int = 8, *, facts: ModelFacts = FACTS, delay: int = 2) -> None:
        self.facts = facts
        self.capacity = capacity
        self.batches: list[int] = []  # the size of each batch stepped
        self._delay = delay
        self._ears: dict[int, _Ear] = {}

    def open(self) -> int:
        for slot in range(self.capacity):
            if slot not in self._ears:
                self._ears[slot] = _Ear([self._emission(0, 0.9)] * self._delay)
                return slot
        raise CapacityError(f"all {self.capacity} slots are taken")

    def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
        slots = [slot for slot, _ in batch]
        assert len(set(slots)) == len(slots), "a slot appears at most once in a batch"
        self.batches.append(len(batch))
        return [Emissions(self._hear(self._ears[slot], samples)) for slot, samples in batch]

    def reset(self, slot: int) -> None:
        assert slot in self._ears, "only an open slot can be reset"
        self._ears[slot] = _Ear([self._emission(0, 0.9)] * self._delay)

    def close(self, slot: int) -> None:
        del self._ears[slot]

    @property
    def open_slots(self) -> int:
        return len(self._ears)

    def _hear(self, ear: _Ear, samples: Samples) -> NDArray[np.float32]:
        assert samples.shape == (self.facts.step_samples,)
        for piece in samples.reshape(self.facts.outputs_per_step, -1):
            levels = (piece * 32768).astype(np.int64)
            ear.memory = (31 * ear.memory + int(levels @ np.arange(1, len(levels) + 1))) % 1_000_003
            unit = ear.memory % len(self.facts.units) if is_audible(piece) else 0
            ear.late.append(self._emission(unit, 0.5 + 0.05 * (ear.memory % 9)))
        out = ear.late[: self.facts.outputs_per_step]
        del ear.late[: self.facts.outputs_per_step]
        return np.stack(out)

    def _emission(self, unit: int, probability: float) -> NDArray[np.float32]:
        others = (1.0 - probability) / (len(self.facts.units) - 1)
        probabilities = np.full(len(self.facts.units), others, np.float32)
        probabilities[unit] = probability
        return np.log(probabilities)


class ToneVad:
    """Says speech for every frame that is loud enough, and remembers nothing."""

    def is_speech(self, frame: Samples) -> bool:
        return is_audible(frame)

    def reset(self) -> None:
        pass


def tone_gate(options: StreamOptions) -> Gate:
    """A gate whose decisions a test can foresee."""
    return VadGate(
        ToneVad(), endpoint_ms=options.endpoint_ms, most_ms=options.unfinished_ms or 0,
        preroll_ms=options.preroll_ms,
    )  # fmt: skip


def tone(seconds: float, hz: float = 440.0, level: float = 0.2) -> Samples:
    t = np.arange(round(seconds * 16_000)) / 16_000
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * 16_000), np.float32)


def voice(seconds: float, seed: int = 0) -> Samples:
    """Vowels at four syllables a second, enough of a voice for webrtcvad: float32 [n]."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 16_000)) / 16_000
    pitch = 120.0 * (1.0 + 0.05 * np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    formants = 1.0 + 0.3 * np.sin(2 * np.pi * 2.0 * t + rng.uniform(0, 6))
    buzz = np.zeros_like(t)
    for harmonic in range(1, 30):
        hz = harmonic * pitch
        weight = sum(np.exp(-(((hz - f * formants) / 150.0) ** 2)) for f in (600.0, 1400.0, 2600.0))
        buzz += weight * np.sin(harmonic * phase)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4.0 * t)
    return (0.1 * buzz * syllables + 1e-4 * rng.standard_normal(len(t))).astype(np.float32)


def talk(rng: Random, turns: int = 4) -> Samples:
    """Sounds of changing level and pitch with pauses, some too short to end an utterance."""
    parts = [silence(rng.uniform(0.0, 0.5))]
    for _ in range(turns):
        for _ in range(rng.randint(1, 4)):
            seconds, level = rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.5)
            parts.append(tone(seconds, rng.uniform(100, 3000), level))
        parts.append(silence(rng.choice((0.1, 0.3, 0.5, 0.9))))
    return np.concatenate(parts)


def cuts(samples: Samples, rng: Random, longest: int = 5000) -> Iterator[Samples]:
    """The same audio in blocks of random lengths, empty ones too."""
    at = 0
    while at < len(samples):
        size = rng.choice((0, 1, rng.randint(1, 400), rng.randint(1, longest)))
        yield samples[at : at + size]
        at += size


def pump(stream: Stream, engine: ScriptedEngine, slot: int) -> list[Event]:
    """Do all work that is ready; return what happened."""
    while (work := stream.take()) is not None:
        if work.fresh:
            engine.reset(slot)
        stream.push(engine.step([(slot, work.samples)])[0])
    return stream.events()


def texts(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Final)]


def check_promises(events: Sequence[Event]) -> None:
    """Utterances follow each other in order, and text only grows within one."""
    number, text, is_open, has_final = -1, "", False, False
    for event in events:
        match event:
            case SpeechStarted():
                assert not is_open
                assert event.utterance == number + 1
                number, text, is_open, has_final = event.utterance, "", True, False
            case SpeechEnded():
                assert is_open
                assert event.utterance == number
                assert has_final == bool(text)
                is_open = False
            case Partial() | Final():
                assert is_open
                assert event.utterance == number
                assert not has_final
                assert event.text.startswith(text)
                assert isinstance(event, Final) or event.text != text
                assert all(event.start <= w.start < w.end <= event.end for w in event.words)
                text, has_final = event.text, isinstance(event, Final)
