"""One speaker's audio in, events out; the model's work is handed out and taken back.

    stream.accept(samples)
    while (work := stream.take()) is not None:
        stream.push(model(work))
    show(stream.events())

Nothing here computes the model, waits, or knows what time it is; whoever drives the
stream may step many of them as one batch. Inside, one queue keeps what the gate let
through in order, and at most one step is out at a time:

    accept -> gate -> queue -> step -> take ... push -> utterance -> endpoint -> events

An utterance is cut into steps from its own first sample and begins with fresh state, so
neither the blocks that the audio came in nor what was said before can change its text.
When it ends, its last step is filled up with zeros and ``tail_steps`` steps of zeros
follow, so the last word comes out.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from streamasr.core.endpoint import Evidence, endpoint, endpoint_rules
from streamasr.core.events import EndReason, Event, Final, Gap, SpeechStarted
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.hotwords import HotWords
from streamasr.core.model import Emissions, ModelFacts
from streamasr.core.options import StreamOptions
from streamasr.core.presence import Presence
from streamasr.core.utterance import Utterance
from streamasr.core.vad import Closed, Gate, GateItem, Opened, Paused, Speech
from streamasr.errors import AudioFormatError, StreamClosed, UsageError

Samples = NDArray[np.float32]

MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One step for the model."""

    samples: Samples
    """float32 [step_samples]"""
    fresh: bool
    """Reset the model's state before this step."""


@dataclass(frozen=True, slots=True)
class _Mark:
    key: object


@dataclass(frozen=True, slots=True)
class _End:
    """The gate closed."""

    reason: EndReason
    at: int


class Stream:
    """Audio of one speaker, utterance after utterance; one owner, not thread-safe.

    Memory is bounded by the audio accepted and not yet decoded, and by
    ``max_utterance_s`` of tokens; nothing of an utterance outlives its Final.
    """

    def __init__(
        self,
        facts: ModelFacts,
        options: StreamOptions | None = None,
        *,
        gate: Gate | None = None,
    ) -> None:
        self._facts = facts
        self._options = options = options or StreamOptions()
        self._gate = gate or options.gate()
        self._new_decoder = options.decoder_maker(facts)
        self._scribe = options.scribe(facts)
        self._rules = endpoint_rules(
            trailing_blank={outlook: ms * MS for outlook, ms in options.blank_ms.items()},
            max_length=round(options.max_utterance_s * SAMPLE_RATE),
        )
        self.position = 0
        """Samples received, gaps included."""
        self.lag_samples = 0
        """Samples that the gate let through and that are not decoded yet."""
        self._queue: deque[Opened | Speech | Paused | _End | Gap | _Mark] = deque()
        self._events: list[Event] = []
        self._marks: list[object] = []
        self._begun = 0  # utterances so far
        self._open: Utterance | None = None
        self._onset: int | None = None  # where the speech began whose audio follows
        self._step = np.zeros(facts.step_samples, np.float32)
        self._filled = 0  # samples in the step being made
        self._ending: _End | None = None  # set once the open utterance's end is decided
        self._tail = 0  # steps of zeros still to make for it
        self._ready: Work | None = None  # made, not taken
        self._is_out = False  # taken, not answered
        self._is_unwanted = False  # taken before a reset
        self._is_finished = False

    def expect(self, hotwords: HotWords | None) -> None:
        """Let other words be expected, from the next utterance on."""
        self._options = replace(self._options, hotwords=hotwords)
        self._new_decoder = self._options.decoder_maker(self._facts)

    @property
    def idle(self) -> bool:
        """Nothing waits: no queue, no step ready or out."""
        return not (self._queue or self._ready or self._is_out)

    # ---- audio and controls in ----

    def accept(self, samples: Samples) -> None:
        """Take audio: float32 [n] at 16 kHz in -1..1, any n; louder is clipped.

        Raises StreamClosed after `finish`, AudioFormatError for NaN or infinity.
        """
        self._check_usable()
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise AudioFormatError(f"samples must be mono, got an array of shape {samples.shape}")
        if not len(samples):
            return
        peak = float(np.abs(samples).max())
        if not math.isfinite(peak):
            raise AudioFormatError("audio holds a value that is not a number")
        if peak > 1.0:
            samples = samples.clip(-1.0, 1.0)
        self.position += len(samples)
        self._enqueue(self._gate.process(samples), "silence")
        self._advance()

    def gap(self, samples: int) -> None:
        """Account for lost audio: positions go on, and a Gap event says so.

        A second of it at most is decoded as silence; more ends the open utterance.
        Raises StreamClosed after `finish`, UsageError for a negative length.
        """
        self._check_usable()
        if samples < 0:
            raise UsageError(f"a gap cannot be negative, got {samples} samples")
        if samples == 0:
            return
        self._queue.append(Gap(self.position, samples))
        self.position += samples
        self._enqueue(self._gate.skip(samples), "silence")
        self._advance()

    def flush(self) -> None:
        """End the open utterance; the stream stays usable and positions go on."""
        self._enqueue(self._gate.flush(), "finish")
        self._advance()

    def finish(self) -> None:
        """End the open utterance and refuse more audio; calling it twice is harmless."""
        self.flush()
        self._is_finished = True

    def mark(self, key: object) -> None:
        """Remember ``key``; `marks` gives it back once all work before it is done.

        After `flush` that means every sample before it. Otherwise less than a step of
        the open utterance, and what the gate has not judged, may still wait.
        """
        self._queue.append(_Mark(key))
        self._advance()

    def reset(self) -> None:
        """Forget the open utterance and all audio not decoded; positions go on.

        Events that came before stay; no event tells of the utterance's end. Marks that
        were waiting are given back, for nothing is left before them.
        """
        self._marks += [item.key for item in self._queue if isinstance(item, _Mark)]
        self._queue.clear()
        self._gate.reset()
        self._close()
        self._ready = None
        self._is_unwanted = self._is_out
        self.lag_samples = 0

    # ---- the model's work ----

    def take(self) -> Work | None:
        """The next step for the model; None when there is none, or one is out already."""
        work, self._ready = self._ready, None
        self._is_out = self._is_out or work is not None
        return work

    def push(self, emissions: Emissions) -> None:
        """The answer to the last `take`."""
        if not self._is_out:
            raise UsageError("push answers a take, and no step is out")
        self._is_out = False
        if self._is_unwanted:
            self._is_unwanted = False
        else:
            self._decode(emissions)
        self._advance()

    # ---- events out ----

    def events(self) -> list[Event]:
        """Everything that happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def marks(self) -> list[object]:
        """The keys of the marks reached since the last call, in order."""
        marks, self._marks = self._marks, []
        return marks

    # ---- inside ----

    def _check_usable(self) -> None:
        if self._is_finished:
            raise StreamClosed("the stream is finished", remedy="open a new one")

    def _enqueue(self, items: list[GateItem], reason: EndReason) -> None:
        for item in items:
            if isinstance(item, Closed):
                self._queue.append(_End(reason, item.at))
            else:
                self._queue.append(item)
                self.lag_samples += len(item.samples) if isinstance(item, Speech) else 0

    def _advance(self) -> None:
        """Go through the queue until a step is ready; wait while one is out."""
        while self._ready is None and not self._is_out:
            if self._ending is not None:
                self._advance_ending(self._ending)
            elif self._queue:
                self._advance_queue(self._queue.popleft())
            else:
                return

    def _advance_queue(self, item: Opened | Speech | Paused | _End | Gap | _Mark) -> None:
        match item:
            case Opened(at):
                self._onset = at
            case Speech(at, samples):
                self._fill(at, samples)
            case Paused(at):
                if self._open is not None and self._open.outlook != "unfinished":
                    self._end(_End("silence", at))
            case _End():
                if self._open is not None:
                    self._end(item)
            case Gap():
                self._events.append(item)
            case _Mark(key):
                self._marks.append(key)
            case _:
                assert_never(item)

    def _fill(self, at: int, samples: Samples) -> None:
        """Put audio into the step being made; what does not fit goes back to the queue."""
        utterance = self._open or self._begin(at)
        count = min(len(samples), len(self._step) - self._filled)
        self._step[self._filled : self._filled + count] = samples[:count]
        self._filled += count
        utterance.heard += count
        if count < len(samples):
            self._queue.appendleft(Speech(at + count, samples[count:]))
        if self._filled == len(self._step):
            self._make_work(utterance)

    def _begin(self, at: int) -> Utterance:
        start = at if self._onset is None else self._onset
        self._onset = None
        hop = self._facts.emission_samples
        presence = Presence(self._facts.presence if self._options.presence else 0.0)
        self._open = Utterance(
            self._new_decoder(), hop, self._begun, start=start, origin=at, presence=presence
        )
        self._begun += 1
        self._events.append(SpeechStarted(self._open.index, start))
        return self._open

    def _make_work(self, utterance: Utterance) -> None:
        self._ready = Work(self._step, fresh=not utterance.steps)
        utterance.steps += 1
        self._step = np.zeros_like(self._step)
        self._filled = 0

    def _decode(self, emissions: Emissions) -> None:
        utterance = self._open
        assert utterance is not None, "a step is out only for an open utterance"
        before = utterance.decoded
        reached = before + len(self._step)
        utterance.decoded = min(reached, utterance.heard)
        self.lag_samples -= utterance.decoded - before
        grew = utterance.push(emissions)
        if grew and self._options.partials:
            with_words = self._options.words and self._options.partial_words
            self._events.append(utterance.partial(with_words=with_words))
        if self._ending is not None:
            return
        evidence = Evidence(
            reached - utterance.origin, utterance.quiet, utterance.has_words, utterance.outlook
        )
        reason = endpoint(self._rules, evidence)
        if reason == "trailing_blank":
            self._end(_End(reason, reached - utterance.quiet))
        elif reason is not None:
            self._end(_End(reason, reached))

    def _end(self, end: _End) -> None:
        self._ending = end
        self._tail = self._facts.tail_steps

    def _advance_ending(self, end: _End) -> None:
        utterance = self._open
        assert utterance is not None, "only an open utterance can be ending"
        if self._filled:
            self._make_work(utterance)
        elif self._tail:
            self._tail -= 1
            self._make_work(utterance)
        else:
            last = utterance.conclude(
                end.reason,
                end.at,
                with_words=self._options.words,
                alternatives=self._options.alternatives,
            )
            self._events += map(self._written, last)
            self._close()

    def _written(self, event: Event) -> Event:
        if isinstance(event, Final) and self._scribe is not None:
            return self._scribe.write(event)
        return event

    def _close(self) -> None:
        self._open = None
        self._onset = None
        self._ending = None
        self._tail = 0
        self._filled = 0
