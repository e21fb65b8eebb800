"""Opus to samples, by the system's libopus: packets one after the other, or in Ogg.

libopus gives 16 kHz mono from whatever was encoded, so nothing is resampled here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache

import numpy as np

from streamasr.core.audio import Samples
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.oggstream import OggPackets
from streamasr.errors import AudioFormatError, StreamasrError

BYTES_PER_S = 4000
"""What speech at 32 kbit/s takes, to size an inbox by."""
MOST_SAMPLES = SAMPLE_RATE * 12 // 100
"""A packet holds 120 ms at most."""
MOST_AT_ONCE = 60 * SAMPLE_RATE
"""Few bytes can stand for much silence; this much in one slice of an inbox is no speech."""
FULL_RATE = 48_000
"""Hertz that the header counts at, whatever rate was encoded."""

_NOTHING = np.zeros(0, np.float32)


class OpusDecoder:
    """One stream of packets, in order; not thread-safe."""

    def __init__(self) -> None:
        """Raises StreamasrError where libopus is not installed."""
        self._lib = _library()
        error = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(SAMPLE_RATE, 1, ctypes.byref(error))
        if not self._state:
            raise StreamasrError(f"libopus gives no decoder: error {error.value}")
        self._out = np.zeros(MOST_SAMPLES, np.float32)

    def __del__(self) -> None:
        if state := getattr(self, "_state", None):
            self._lib.opus_decoder_destroy(state)

    def decode(self, packets: Sequence[bytes]) -> Samples:
        """Decode packets to float32 [n]; raises AudioFormatError for what is none."""
        parts = [_NOTHING]
        total = 0
        for packet in packets:
            count = self._lib.opus_decode_float(
                self._state, packet, len(packet), self._out.ctypes.data, MOST_SAMPLES, 0
            )
            if count < 0 or not packet:
                raise AudioFormatError(
                    f"a packet of {len(packet)} bytes is not Opus",
                    remedy="declare the encoding that it really is",
                )
            parts.append(self._out[:count].copy())
            total += count
            if total > MOST_AT_ONCE:
                raise AudioFormatError("more audio than so few bytes of speech can hold")
        return np.concatenate(parts)


class OpusDoor:
    """Packets after their lengths, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        """Raises StreamasrError where libopus is not installed."""
        self._decoder = OpusDecoder()
        self._held = b""

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError."""
        held, at = self._held + data, 0
        packets = []
        while at + 2 <= len(held):
            end = at + 2 + int.from_bytes(held[at : at + 2])
            if end > len(held):
                break
            packets.append(held[at + 2 : end])
            at = end
        self._held = held[at:]
        return self._decoder.decode(packets)

    def flush(self) -> Samples:
        """Nothing is held back."""
        return _NOTHING

    def finish(self) -> Samples:
        """End the audio."""
        return _NOTHING


class OggOpusDoor:
    """An Ogg file of Opus, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        """Raises StreamasrError where libopus is not installed."""
        self._packets = OggPackets()
        self._decoder = OpusDecoder()
        self._heads = 0  # packets before the sound: OpusHead and OpusTags
        self._skip = 0  # samples of the encoder's run-up, still to be dropped

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError when this is no Opus in Ogg."""
        packets = self._packets.accept(data)
        while packets and self._heads < 2:
            self._read_head(packets.pop(0))
        samples = self._decoder.decode(packets)
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        return samples[skipped:]

    def flush(self) -> Samples:
        """Nothing is held back."""
        return _NOTHING

    def finish(self) -> Samples:
        """End the audio; raises AudioFormatError when it stopped inside a page."""
        self._packets.finish()
        return _NOTHING

    def _read_head(self, packet: bytes) -> None:
        if not self._heads:
            if packet[:8] != b"OpusHead" or len(packet) < 19:
                raise AudioFormatError("the Ogg file holds no Opus", remedy="Opus, or a WAV file")
            self._skip = int.from_bytes(packet[10:12], "little") * SAMPLE_RATE // FULL_RATE
        self._heads += 1


@cache
def _library() -> ctypes.CDLL:
    """The system's libopus; raises StreamasrError where there is none."""
    try:
        lib = ctypes.CDLL("libopus.so.0")
    except OSError:
        raise StreamasrError(
            "Opus cannot be decoded here", remedy="apt-get install libopus0"
        ) from None
    lib.opus_decoder_create.restype = ctypes.c_void_p
    lib.opus_decoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.c_void_p]
    lib.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
    lib.opus_decode_float.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    return lib
