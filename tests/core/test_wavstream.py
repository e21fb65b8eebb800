import struct

import numpy as np
import pytest

from streamasr.core.wavstream import MOST_SKIPPED_BYTES, WavDoor
from streamasr.errors import AudioFormatError

PCM = (np.sin(np.arange(1600) / 7) * 12_000).astype("<i2").tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt(tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def wav(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heard(data: bytes, size: int) -> np.ndarray:
    door = WavDoor()
    parts = [door.accept(data[i : i + size]) for i in range(0, len(data), size)]
    return np.concatenate([*parts, door.finish()])


EXPECTED = np.frombuffer(PCM, "<i2").astype(np.float32) / 32768
PLAIN = wav(chunk(b"fmt ", fmt()), chunk(b"data", PCM))
CROWDED = wav(
    chunk(b"LIST", b"odd"),
    chunk(b"fmt ", fmt() + b"\0\0"),
    chunk(b"fact", b"1234"),
    chunk(b"data", PCM),
    chunk(b"LIST", b"after the audio"),
)
EXTENSIBLE = wav(
    chunk(b"fmt ", fmt(0xFFFE) + struct.pack("<HHIH", 22, 16, 4, 1) + b"\0" * 14),
    chunk(b"data", PCM),
)
ENDLESS = PLAIN.replace(b"data" + struct.pack("<I", len(PCM)), b"data\xff\xff\xff\xff")
UNKNOWN = PLAIN.replace(b"data" + struct.pack("<I", len(PCM)), b"data\0\0\0\0")


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("data", [PLAIN, CROWDED, EXTENSIBLE, ENDLESS, UNKNOWN])
def test_cutting_a_file_changes_nothing(data: bytes, size: int) -> None:
    assert np.array_equal(heard(data, size), EXPECTED)


def test_the_header_decides_encoding_rate_and_channels() -> None:
    loud = np.full(8000, 0.5, "<f4")
    quiet = np.zeros(8000, "<f4")
    body = np.stack([loud, quiet], axis=1).tobytes()
    data = wav(chunk(b"fmt ", fmt(3, channels=2, rate=8_000, bits=32)), chunk(b"data", body))
    samples = heard(data, 1000)
    assert abs(len(samples) - 16_000) < 10
    assert samples[8000] == pytest.approx(0.25, abs=1e-3)


def test_no_bytes_at_all_are_legal() -> None:
    door = WavDoor()
    assert len(door.accept(b"")) == 0
    assert len(door.flush()) == 0
    assert len(door.finish()) == 0


@pytest.mark.parametrize("end", range(1, 44))
def test_a_file_that_ends_inside_its_header_is_refused(end: int) -> None:
    door = WavDoor()
    door.accept(PLAIN[:end])
    with pytest.raises(AudioFormatError, match="ends inside its header"):
        door.finish()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"OggS" + bytes(40), "begins with"),
        (b"RIFF\0\0\0\0AVI " + bytes(40), "begins with"),
        (PCM, "begins with"),
        (wav(chunk(b"data", PCM)), "before its fmt"),
        (wav(chunk(b"fmt ", fmt()), chunk(b"fmt ", fmt())), "out of place"),
        (wav(chunk(b"fmt ", b"tiny")), "out of place"),
        (wav(b"fmt \xff\xff\xff\xff" + bytes(2000)), "out of place"),
        (wav(chunk(b"fmt ", fmt(bits=8))), "not supported"),
        (wav(chunk(b"fmt ", fmt(2, bits=4))), "not supported"),
        (wav(chunk(b"fmt ", fmt(rate=1))), "sample_rate"),
        (wav(chunk(b"fmt ", fmt(channels=0))), "channels"),
        (wav(b"LIST" + struct.pack("<I", MOST_SKIPPED_BYTES + 1)), "before the audio"),
    ],
)
def test_what_is_no_wav_is_refused_with_its_fault(data: bytes, fault: str) -> None:
    with pytest.raises(AudioFormatError, match=fault):
        WavDoor().accept(data)


def test_audio_that_stops_inside_a_frame_is_refused() -> None:
    door = WavDoor()
    door.accept(ENDLESS + b"x")
    with pytest.raises(AudioFormatError, match="1 leftover byte"):
        door.finish()
