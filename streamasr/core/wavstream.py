"""A WAV file that arrives in pieces: read the header once, then decode what follows.

    door = WavDoor()
    for block in blocks:
        use(door.accept(block))
    use(door.finish())

A RIFF file is a list of chunks: four letters, a length of four bytes, and that many bytes,
padded to an even number. ``fmt `` names the encoding and comes before ``data``. Programs that
write to a pipe cannot know the length in advance and put 0 or 2^32 - 1 there: both mean
"until the end". Only the header's own few bytes are ever held; other chunks are skipped
as they pass.
"""

from __future__ import annotations

import struct

import numpy as np

from streamasr.core.audio import AudioDoor, Samples
from streamasr.errors import AudioFormatError

UNTIL_THE_END = (0, 0xFFFFFFFF)
MOST_FORMAT_BYTES = 1024
"""A ``fmt `` chunk has 16, 18 or 40 bytes."""
MOST_SKIPPED_BYTES = 16 * 1024 * 1024
"""Room for pictures and tags before the audio; more is no audio file."""
EXTENSIBLE = 0xFFFE

_ENCODINGS: dict[tuple[int, int], str] = {
    (1, 16): "s16le",
    (1, 24): "s24le",
    (1, 32): "s32le",
    (3, 32): "f32le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""(format tag, bits) -> encoding."""

_NOTHING = np.zeros(0, np.float32)


class WavDoor:
    """Bytes of a WAV file, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        self._door: AudioDoor | None = None  # set by the fmt chunk
        self._head = b""  # the incomplete header, at most a few bytes
        self._started = False  # the RIFF line was read
        self._skip = 0  # bytes of an uninteresting chunk still to come
        self._skipped = 0
        self._left: int | None = 0  # bytes of audio still to come; None until the end
        self._in_data = False
        self._over = False  # the data chunk is complete; the rest is not audio

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError when this is no WAV we can read."""
        if not self._in_data and not self._over:
            data = self._read_header(self._head + data)
        if self._over or not self._in_data or not data:
            return _NOTHING
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self._over = not self._left
        assert self._door is not None, "data is not entered before fmt"
        return self._door.accept(data)

    def flush(self) -> Samples:
        """Give the audio that the resampler holds back; audio may go on."""
        return self._door.flush() if self._door is not None else _NOTHING

    def finish(self) -> Samples:
        """End the audio; nothing at all is legal, half a header is not."""
        if self._head or (self._started and not self._in_data and not self._over):
            raise AudioFormatError(
                "the WAV file ends inside its header", remedy="send all of it before stop"
            )
        if self._door is None:
            return _NOTHING
        return self._door.finish()

    def _read_header(self, data: bytes) -> bytes:
        """Consume chunks up to ``data``; return what follows its header."""
        while data:
            if self._skip:
                taken = min(self._skip, len(data))
                self._skip -= taken
                data = data[taken:]
            elif not self._started:
                if not b"RIFF".startswith(data[:4]):
                    _refuse_start(data)
                if len(data) < 12:
                    break
                if data[8:12] != b"WAVE":
                    _refuse_start(data)
                self._started, data = True, data[12:]
            elif len(data) < 8:
                break
            else:
                name, size = struct.unpack_from("<4sI", data)
                if name == b"data":
                    return self._enter_data(size, data[8:])
                if name == b"fmt " and len(data) < 8 + min(size, MOST_FORMAT_BYTES):
                    break
                data = self._pass_chunk(name, size, data[8:])
        self._head = data
        return b""

    def _pass_chunk(self, name: bytes, size: int, body: bytes) -> bytes:
        """Take in ``fmt `` and skip every other chunk."""
        if name == b"fmt ":
            if self._door is not None or not 16 <= size <= MOST_FORMAT_BYTES:
                raise AudioFormatError(
                    f"the WAV header has a fmt chunk of {size} bytes out of place",
                    remedy="one fmt chunk of 16 bytes or more, before data",
                )
            self._door = _open(body[:size])
        self._skip = size + size % 2
        self._skipped += self._skip
        if self._skipped > MOST_SKIPPED_BYTES:
            raise AudioFormatError(
                f"the WAV header holds {self._skipped} bytes before the audio",
                remedy=f"at most {MOST_SKIPPED_BYTES}",
            )
        return body

    def _enter_data(self, size: int, body: bytes) -> bytes:
        if self._door is None:
            raise AudioFormatError(
                "the WAV file has a data chunk before its fmt chunk", remedy="write fmt first"
            )
        self._in_data = True
        self._head = b""
        self._left = None if size in UNTIL_THE_END else size
        return body


def _open(fmt: bytes) -> AudioDoor:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == EXTENSIBLE and len(fmt) >= 26:
        (tag,) = struct.unpack_from("<H", fmt, 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise AudioFormatError(
            f"WAV format {tag} with {bits} bits is not supported",
            remedy="16, 24 or 32 bit PCM, 32 bit float, A-law or mu-law",
        )
    return AudioDoor(encoding, rate, channels)


def _refuse_start(data: bytes) -> None:
    raise AudioFormatError(
        f"the audio begins with {data[:12]!r}, a WAV file with b'RIFF....WAVE'",
        remedy="declare the encoding that it really is",
    )
