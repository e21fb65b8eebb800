"""One session's way through the engine thread: its inbox, its stream, its slot.

    lane = Lane(AudioDoor("s16le", 16_000), options, deliver, wake=worker.wake)
    lane.audio(data); lane.flush("id"); lane.finish()          # on the loop

Who touches what: the inbox is appended to by the loop and popped by the thread; ``added``
belongs to the loop and ``taken`` to the thread; stream, door and slot belong to the
thread alone. That, and the interpreter lock, is all the locking there is.

An inbox is bounded by its session, which stops reading its socket when `ask_for_room`
says no. The stream behind it holds at most one slice of audio that is not decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamasr.core.events import Event, Final
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.model import Emissions
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine
from streamasr.core.stream import Stream, Work
from streamasr.errors import AudioFormatError

Samples = NDArray[np.float32]

SLICE_BYTES = 16_384
"""The most that is decoded at once: half a second of 16 kHz s16le."""
ITEM_BYTES = 64
"""What every item of an inbox counts besides its length, so that small ones are bounded too."""
SLICES_PER_TURN = 4
"""What one lane may take in before the others get their turn."""
MS = SAMPLE_RATE // 1000


class Door(Protocol):
    """Bytes of one session to samples at 16 kHz: `AudioDoor` or `WavDoor`."""

    def accept(self, data: bytes) -> Samples: ...
    def flush(self) -> Samples: ...
    def finish(self) -> Samples: ...


@dataclass(slots=True)
class Statistics:
    """What became of a lane so far; written by the thread, read after its end."""

    position: int = 0
    utterances: int = 0
    words: int = 0
    compute_s: float = 0.0
    worst_lag_ms: float = 0.0


@dataclass(slots=True)
class Delivery:
    """What a lane has for its session; events come before the flushes that they answer."""

    events: list[Event] = field(default_factory=list)
    flushed: list[object] = field(default_factory=list)
    """Keys of the flushes that are done."""
    marked: list[tuple[object, int]] = field(default_factory=list)
    """Keys of the marks that are reached, and the position of each in samples."""
    finished: bool = False
    """Everything is decoded and told; the lane is over."""
    error: Exception | None = None
    """The lane is over: a StreamasrError is the peer's fault, others are ours."""


Deliver = Callable[[Delivery], None]


@dataclass(frozen=True, slots=True)
class _FlushMark:
    key: object


@dataclass(slots=True)
class _PlainMark:
    key: object
    position: int = 0
    """Samples received before it; set by the thread."""


@dataclass(frozen=True, slots=True)
class _Clear:
    """Forget what is not decoded."""


@dataclass(slots=True)
class _Finish:
    """In the inbox: no more audio. As a mark of the stream: everything is decoded."""

    fault: AudioFormatError | None = None
    """The audio stopped inside a frame; told after the last final."""


_Control = _FlushMark | _PlainMark | _Clear | _Finish


class Lane:
    """One session's way through the engine thread."""

    def __init__(
        self,
        door: Door,
        options: StreamOptions,
        deliver: Deliver,
        *,
        wake: Callable[[Lane], None],
    ) -> None:
        self.statistics = Statistics()
        self.deliver = deliver
        self.added = 0  # bytes put into the inbox, by the loop
        self.taken = 0  # bytes taken out of it, by the thread
        self.wants_room = False  # the loop asks to be told when the inbox is half empty
        self.room_bytes = 0
        self.is_queued = False  # in the thread's queue, not yet seen there
        self.is_cancelled = False  # set by the loop
        self.is_over = False  # set by the thread: the slot is free again
        self.slot = -1
        self.lag_ms = 0.0  # audio received and not decoded, when the thread last looked
        self._wake = wake
        self._door = door
        self._options = options
        self._inbox: deque[bytes | _Control] = deque()
        self._stream: Stream | None = None
        self._offset = 0  # of the first message of the inbox, how much was taken

    # For the loop

    @property
    def waiting(self) -> int:
        """Bytes in the inbox."""
        return self.added - self.taken

    def audio(self, data: bytes) -> None:
        """Append audio, any number of bytes, and let the thread know."""
        if data:
            self._put(data, len(data))

    def flush(self, key: object) -> None:
        """End the open utterance; ``key`` comes back as a mark once that is decoded."""
        self._put(_FlushMark(key))

    def mark(self, key: object) -> None:
        """Have ``key`` delivered once all before it is decoded, but for what may be silence."""
        self._put(_PlainMark(key))

    def clear(self) -> None:
        """Forget all audio that is not decoded, and the open utterance."""
        self._put(_Clear())

    def finish(self) -> None:
        """No more audio: decode everything, deliver ``finished``, free the slot."""
        self._put(_Finish())

    def cancel(self) -> None:
        """Drop everything; nothing is delivered any more once the thread has noticed."""
        self.is_cancelled = True
        self._wake(self)

    def ask_for_room(self, bound: int) -> bool:
        """Whether the inbox is under ``bound`` bytes; if not, a delivery says when it is."""
        self.room_bytes = bound // 2
        self.wants_room = self.waiting > bound
        if self.wants_room and self.waiting <= self.room_bytes:
            self.wants_room = False  # the thread was faster than we
        return not self.wants_room

    def _put(self, item: bytes | _Control, size: int = 0) -> None:
        self.added += size + ITEM_BYTES
        self._inbox.append(item)
        self._wake(self)

    # For the thread

    def open(self, engine: Engine) -> None:
        self.slot = engine.open()
        self._stream = Stream(engine.facts, self._options)

    def take(self) -> Work | None:
        """The next step for the model, taking in audio until there is one."""
        assert self._stream is not None
        work = self._stream.take()
        for _ in range(SLICES_PER_TURN):
            if work is not None or not self._inbox:
                break
            is_control = self._take_in(self._stream)
            work = self._stream.take()
            if is_control:
                break  # what it caused is told before anything that follows it
        self.statistics.position = self._stream.position
        self.lag_ms = self._lag_samples(self._stream) / MS
        self.statistics.worst_lag_ms = max(self.statistics.worst_lag_ms, self.lag_ms)
        return work

    def _take_in(self, stream: Stream) -> bool:
        """Take a slice of audio, or one control, from the inbox; says which."""
        item = self._inbox[0]
        if isinstance(item, bytes):
            stream.accept(self._door.accept(self._slice()))
            return False
        self._inbox.popleft()
        self.taken += ITEM_BYTES
        match item:
            case _FlushMark():
                stream.accept(self._door.flush())
                stream.flush()
            case _PlainMark():
                item.position = stream.position
            case _Clear():
                stream.accept(self._door.flush())
                stream.reset()
                return True
            case _Finish():
                try:
                    rest = self._door.finish()
                except AudioFormatError as fault:
                    item.fault, rest = fault, self._door.flush()
                stream.accept(rest)
                stream.finish()
        stream.mark(item)
        return True

    def _slice(self) -> bytes:
        """Up to SLICE_BYTES of audio: part of one message, or many small ones."""
        parts: list[bytes] = []
        room = SLICE_BYTES
        while room and self._inbox and isinstance(item := self._inbox[0], bytes):
            part = item[self._offset : self._offset + room]
            parts.append(part)
            room -= len(part)
            self.taken += len(part)
            self._offset += len(part)
            if self._offset == len(item):
                self._inbox.popleft()
                self._offset = 0
                self.taken += ITEM_BYTES
        return b"".join(parts)

    def _lag_samples(self, stream: Stream) -> float:
        """Audio received and not yet decoded; bytes count as they did so far."""
        rate = stream.position / self.taken if self.taken else 0.0
        return stream.lag_samples + self.waiting * rate

    def push(self, emissions: Emissions) -> None:
        assert self._stream is not None
        self._stream.push(emissions)

    def collect(self) -> Delivery | None:
        """What there is to tell the session, or None."""
        assert self._stream is not None
        events = self._stream.events()
        marks = self._stream.marks()
        has_room = self.wants_room and self.waiting <= self.room_bytes
        if not (events or marks or has_room):
            return None
        if has_room:
            self.wants_room = False
        self._count(events)
        delivery = Delivery(events)
        for mark in marks:
            if isinstance(mark, _FlushMark):
                delivery.flushed.append(mark.key)
            elif isinstance(mark, _PlainMark):
                delivery.marked.append((mark.key, mark.position))
            elif isinstance(mark, _Finish):
                delivery.finished = True
                delivery.error = mark.fault
        return delivery

    def _count(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Final):
                self.statistics.utterances += 1
                self.statistics.words += len(event.words) or len(event.text.split())

    @property
    def is_open(self) -> bool:
        return self._stream is not None

    @property
    def has_input(self) -> bool:
        return bool(self._inbox)

    def charge(self, seconds: float) -> None:
        """Add the thread's time that this lane took."""
        self.statistics.compute_s += seconds
