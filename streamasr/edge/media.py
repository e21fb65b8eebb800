"""Files that arrive in pieces, decoded by FFmpeg's libraries (PyAV): WebM, FLAC, MP3, and more.

    door = MediaDoor()
    samples = door.accept(data)      # all that these bytes are enough for

The libraries ask for bytes where we are given them, so each door has a thread of its own. It
sleeps whenever the bytes are used up, and `accept` returns when it does: what comes out
depends on the bytes alone.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from streamasr.core.audio import Samples
from streamasr.core.features import SAMPLE_RATE
from streamasr.errors import AudioFormatError, MissingExtra

OPTIONS = {"probesize": "4096", "analyzeduration": "0"}
"""Decide what it is by the first bytes: somebody is waiting."""
FORMATS = "aac,flac,matroska,mov,mp3,ogg,wav"
"""Those of FFmpeg's formats that hold audio themselves; a playlist would name other files."""
MOST_AT_ONCE = 60 * SAMPLE_RATE
"""Few bytes can stand for much silence; this much from one slice of an inbox is no speech."""
PATIENCE_S = 10.0
"""What decoding a slice may take."""

_NOTHING = np.zeros(0, np.float32)


class MediaDoor:
    """Bytes of a file, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        """Raises MissingExtra where PyAV is not installed."""
        try:
            import av  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "av", "media") from None
        self._feed = _Feed()

    def __del__(self) -> None:
        if feed := getattr(self, "_feed", None):
            feed.end()

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError where this is no audio."""
        return self._feed.exchange(data)

    def flush(self) -> Samples:
        """Nothing is held back that could be given without its successor."""
        return _NOTHING

    def finish(self) -> Samples:
        """End the audio; raises AudioFormatError where there was none in it."""
        self._feed.end()
        return self._feed.exchange(b"")


class _Feed:
    """What the thread reads from, as from a file, and where its samples go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._bytes = bytearray()
        self._parts: list[Samples] = []
        self._count = 0  # samples in those
        self._is_ended = False  # no more bytes will come
        self._is_hungry = False  # the thread waits for bytes
        self._is_done = False  # the thread is over
        self._fault = ""
        self._thread: threading.Thread | None = None

    # ---- for the door ----

    def exchange(self, data: bytes) -> Samples:
        """Give bytes, wait until they are used up, take the samples."""
        with self._changed:
            if self._thread is None:
                if not data:
                    return _NOTHING  # nothing at all is legal
                self._thread = threading.Thread(target=_decode, args=(self,), daemon=True)
                self._thread.name = "media"
                self._thread.start()
            if data:
                self._bytes += data
                self._is_hungry = False
                self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._is_idle, PATIENCE_S):
                self._fault = "takes too long to decode"
            parts, self._parts, self._count = self._parts, [], 0
            if self._fault and not parts:
                raise AudioFormatError(
                    f"the audio {self._fault}", remedy="declare the encoding that it really is"
                )
        return np.concatenate([_NOTHING, *parts])

    def end(self) -> None:
        with self._changed:
            self._is_ended = True
            if self._thread is not None and not self._is_done:
                self._is_hungry = False
            self._changed.notify_all()

    @property
    def _is_idle(self) -> bool:
        return self._is_done or (self._is_hungry and not self._bytes and not self._is_ended)

    # ---- for the thread ----

    def read(self, size: int) -> bytes:
        """Some bytes, at most ``size``; none at the end."""
        with self._changed:
            if not self._bytes and not self._is_ended:
                self._is_hungry = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._bytes or self._is_ended)
                self._is_hungry = False
            data = bytes(self._bytes[:size])
            del self._bytes[:size]
            return data

    def put(self, samples: Samples) -> None:
        """Give samples; raises AudioFormatError where they are too many for so few bytes."""
        with self._changed:
            self._count += len(samples)
            if self._count > MOST_AT_ONCE:
                raise AudioFormatError("holds more audio than so few bytes of speech can")
            self._parts.append(samples)

    def done(self, fault: str = "") -> None:
        with self._changed:
            self._is_done = True
            self._fault = fault
            self._changed.notify_all()


def _decode(feed: _Feed) -> None:
    """Decode until the bytes end."""
    import av

    try:
        options = {**OPTIONS, "format_whitelist": FORMATS}
        with av.open(feed, mode="r", options=options) as file:
            if not file.streams.audio:
                feed.done("holds no sound")
                return
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
            for frame in file.decode(file.streams.audio[0]):
                _put(feed, resampler.resample(frame))
            _put(feed, resampler.resample(None))
        feed.done()
    except (av.FFmpegError, AudioFormatError, ValueError, OSError) as error:
        said = error.message if isinstance(error, AudioFormatError) else f"cannot be read: {error}"
        feed.done(said)
    except BaseException:
        feed.done("cannot be read")
        raise


def _put(feed: _Feed, frames: list[Any]) -> None:
    for frame in frames:
        feed.put(frame.to_ndarray().reshape(-1).astype(np.float32))
