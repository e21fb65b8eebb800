"""A live microphone as an iterator that survives what happens to microphones.

PortAudio calls back from its own real-time thread. The callback copies the block, hands
it over and returns; everything else happens in the thread that iterates. A microphone
cannot be slowed down, so at most ``backlog_s`` of audio waits, the oldest is dropped, and
the loss is told. When a device vanishes PortAudio reports nothing: blocks just stop. A
watchdog then closes it, starts PortAudio anew and opens the device again until it works.

    listening --no block for stall_s, or the stream ended--> reviving   Stalled
    reviving  --a block from the device opened anew--------> listening  Resumed, Lost

    with Microphone() as microphone:
        for item in microphone.items():
            ...                           # Heard | Lost | Stalled | Resumed

| queue | bound | when full |
| --- | --- | --- |
| callback -> iterator | ``backlog_s`` of blocks | the oldest is dropped, `Lost` |
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamasr.core.audio import Resampler, Samples
from streamasr.core.features import SAMPLE_RATE
from streamasr.edge.portaudio import BLOCK_S, InputDevice, OpenInput, PortAudio, Receive
from streamasr.errors import DeviceError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """Audio: float32 [n], 16 kHz mono."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class Lost:
    """Audio that was never heard, in samples at 16 kHz."""

    samples: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """The device stopped giving audio; it is being opened again."""

    device: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Audio flows again."""

    device: str


Item = Heard | Lost | Stalled | Resumed


@dataclass(frozen=True, slots=True)
class _Opened:
    """The device was opened for the ``feed``-th time; blocks may have come before this."""

    feed: int


@dataclass(frozen=True, slots=True)
class _Block:
    """What the callback hands over."""

    feed: int
    start: int  # frames of this feed before the block, handed over or not
    frames: NDArray[np.float32]  # [n, channels]
    rate: int
    at: float  # the clock when it arrived
    overflow: bool  # PortAudio dropped audio before it

    @property
    def duration_s(self) -> float:
        return len(self.frames) / self.rate


@dataclass(frozen=True, slots=True)
class _Ended:
    """PortAudio ended the stream, by itself or because we closed it."""

    feed: int


class Microphone:
    """Records from a device by number or name, or from the system's default."""

    def __init__(
        self,
        selector: str | None = None,
        *,
        audio: PortAudio | None = None,
        backlog_s: float = 2.0,
        stall_s: float = 2.0,
        first_block_s: float = 5.0,
        retry_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``first_block_s`` is the patience with a device that was just opened."""
        self._audio = audio or PortAudio()
        self._selector = selector
        self._limit = round(backlog_s / BLOCK_S)
        self._stall_s = stall_s
        self._first_block_s = first_block_s
        self._retry_s = retry_s
        self._clock = clock
        self._queue: SimpleQueue[_Opened | _Block | _Ended | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._input: OpenInput | None = None
        self._device: InputDevice | None = None
        self._feeds = 0  # times the device was opened
        self._reviver: threading.Thread | None = None
        # Known to the iterating thread only:
        self._feed = 0  # the feed that is listened to
        self._fresh = True  # no block of it came yet
        self._expected = 0  # the start of its next block
        self._deadline: float | None = None  # when patience ends; None while reviving
        self._heard_until: float | None = None  # the clock when the newest block arrived
        self._resampler = Resampler(SAMPLE_RATE)

    def __enter__(self) -> Self:
        """Open the device; raises DeviceError."""
        self._open()
        if self._selector is not None:
            self._selector = self.device.name  # numbers change when devices come and go
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def device(self) -> InputDevice:
        """The device that was opened last."""
        assert self._device is not None, "entered first"
        return self._device

    def stop(self) -> None:
        """End `items` after what was recorded so far; safe in a signal handler."""
        self._stopping.set()
        self._queue.put(None)

    def close(self) -> None:
        """Let the device go; gives up after a second when the sound server hangs."""
        self._stopping.set()
        closer = threading.Thread(target=self._let_go, name="microphone close", daemon=True)
        closer.start()
        closer.join(timeout=1.0)
        if closer.is_alive():
            log.info("the sound server does not answer; leaving the device as it is")
            self._audio.abandon()

    def items(self) -> Iterator[Item]:
        """Yield what is heard and what happens, until `stop`."""
        while True:
            match self._next():
                case None:
                    yield from self._heard(self._resampler.finish())
                    return
                case _Block() as block:
                    yield from self._take(block)
                case _Opened(feed):
                    if feed > self._feed:
                        self._begin(feed)
                case _Ended(feed):
                    if feed == self._feed and self._deadline is not None:
                        yield from self._stall()

    # The iterating thread

    def _next(self) -> _Opened | _Block | _Ended | None:
        if self._deadline is None:
            return self._queue.get()
        try:
            return self._queue.get(timeout=max(0.0, self._deadline - self._clock()))
        except Empty:
            return _Ended(self._feed)

    def _begin(self, feed: int) -> None:
        self._feed = feed
        self._fresh = True
        self._expected = 0
        self._deadline = self._clock() + self._first_block_s

    def _take(self, block: _Block) -> Iterator[Item]:
        if block.feed < self._feed:
            return
        if block.feed > self._feed:
            self._begin(block.feed)
        if self._fresh and self._feed > 1:
            yield Resumed(self.device.name)
        lost_s = self._lost_before(block)
        if self._fresh:
            self._resampler = Resampler(block.rate)
            self._fresh = False
        if lost_s > 0:
            yield from self._heard(self._resampler.finish())
            yield Lost(round(lost_s * SAMPLE_RATE))
        self._expected = block.start + len(block.frames)
        self._heard_until = block.at
        self._deadline = self._clock() + self._stall_s
        mono = np.ascontiguousarray(block.frames.mean(axis=1), np.float32)
        yield from self._heard(self._resampler.accept(mono))

    def _lost_before(self, block: _Block) -> float:
        """Seconds of audio between the newest block and this one."""
        dropped_s = (block.start - self._expected) / block.rate
        if self._heard_until is None or not (self._fresh or block.overflow):
            return dropped_s
        # Neither PortAudio nor a dead device says how much was lost: the clock does.
        return max(dropped_s, block.at - block.duration_s - self._heard_until)

    def _heard(self, samples: Samples) -> Iterator[Item]:
        if len(samples):
            yield Heard(samples)

    def _stall(self) -> Iterator[Item]:
        name = self.device.name
        self._deadline = None
        self._reviver = threading.Thread(
            target=self._revive, name="microphone revival", daemon=True
        )
        self._reviver.start()
        yield from self._heard(self._resampler.finish())
        yield Stalled(name)

    # The reviving and the closing thread: PortAudio may hang in either

    def _revive(self) -> None:
        self._shut()
        while not self._stopping.is_set():
            try:
                self._audio.restart()
                self._open()
                return
            except DeviceError as error:
                log.debug("the microphone is not back yet: %s", error)
            self._stopping.wait(self._retry_s)

    def _let_go(self) -> None:
        if self._reviver is not None:
            self._reviver.join()
        self._shut()

    def _open(self) -> None:
        device = self._audio.find(self._selector)
        self._feeds += 1
        feed = self._feeds
        self._device = device
        self._input = self._audio.open(
            device, self._receiver(feed), lambda: self._queue.put(_Ended(feed))
        )
        self._queue.put(_Opened(feed))

    def _shut(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None

    # The audio thread

    def _receiver(self, feed: int) -> Receive:
        start = 0

        def receive(frames: NDArray[np.float32], rate: int, overflow: bool) -> None:
            nonlocal start
            if self._stopping.is_set():
                return
            if self._queue.qsize() >= self._limit:
                with suppress(Empty):
                    self._queue.get_nowait()
            self._queue.put(_Block(feed, start, frames, rate, self._clock(), overflow))
            start += len(frames)

        return receive
