"""Bytes become the right samples, whatever the encoding, the rate and the cutting."""

from __future__ import annotations

import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamasr.core.audio import ENCODINGS, AudioDoor, ChannelSplitter, PcmDecoder, Resampler
from streamasr.errors import AudioFormatError

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)
WIDTHS = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "mulaw": 1, "alaw": 1}


def encode(samples: NDArray[np.float32], encoding: str) -> bytes:
    """A plain encoder, one sample at a time."""
    match encoding:
        case "s16le":
            return b"".join(struct.pack("<h", round(float(x) * 32767)) for x in samples)
        case "s24le":
            wide = (struct.pack("<i", round(float(x) * 8388607)) for x in samples)
            return b"".join(data[:3] for data in wide)
        case "s32le":
            return b"".join(struct.pack("<i", round(float(x) * 2147483647)) for x in samples)
        case "f32le":
            return samples.astype("<f4").tobytes()
    levels = PcmDecoder(encoding).accept(bytes(range(256)))
    return bytes(int(np.abs(levels - x).argmin()) for x in samples)


def sine(hz: float, rate: int, seconds: float = 1.0) -> NDArray[np.float32]:
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_back_what_was_encoded(encoding: str) -> None:
    samples = sine(440, 16_000, 0.05)
    decoded = PcmDecoder(encoding).accept(encode(samples, encoding))
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, samples, atol=0.02 if encoding.endswith("law") else 1e-4)


def test_integers_reach_exactly_minus_one() -> None:
    assert PcmDecoder("s16le").accept(b"\x00\x80\xff\x7f").tolist() == [-1.0, 32767 / 32768]
    assert PcmDecoder("s24le").accept(b"\x00\x00\x80").tolist() == [-1.0]
    assert PcmDecoder("s32le").accept(b"\x00\x00\x00\x80").tolist() == [-1.0]


def test_companded_levels_match_the_tables_of_g711() -> None:
    """Decision values from ITU-T G.711 tables 1 and 2, scaled to 16 bits."""
    mulaw = PcmDecoder("mulaw").accept(bytes([0x00, 0x80, 0x7F, 0xFF, 0x0F, 0x8F, 0xEF])) * 32768
    assert mulaw.tolist() == [-32124, 32124, 0, 0, -16764, 16764, 132]
    alaw = PcmDecoder("alaw").accept(bytes([0x2A, 0xAA, 0x55, 0xD5, 0x45, 0xC5])) * 32768
    assert alaw.tolist() == [-32256, 32256, -8, 8, -264, 264]


def test_companding_agrees_with_the_standard_library_where_it_still_has_one() -> None:
    audioop = pytest.importorskip("audioop")
    codes = bytes(range(256))
    for name, decode in (("mulaw", audioop.ulaw2lin), ("alaw", audioop.alaw2lin)):
        expected = np.frombuffer(decode(codes, 2), "<i2") / 32768
        np.testing.assert_array_equal(PcmDecoder(name).accept(codes), expected)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_byte_at_a_time_gives_the_same_samples(encoding: str, channels: int) -> None:
    data = encode(sine(300, 16_000, 0.01), encoding)
    data = data[: len(data) - len(data) % (WIDTHS[encoding] * channels)]
    whole = PcmDecoder(encoding, channels).accept(data)
    decoder = PcmDecoder(encoding, channels)
    parts = [decoder.accept(data[i : i + 1]) for i in range(len(data))]
    decoder.finish()
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(data=st.binary(max_size=64), channels=st.integers(1, 4))
def test_any_bytes_are_samples_or_a_named_leftover(data: bytes, channels: int) -> None:
    decoder = PcmDecoder("s24le", channels)
    left = len(data) % (3 * channels)
    assert len(decoder.accept(data)) == len(data) // (3 * channels)
    if left:
        with pytest.raises(AudioFormatError, match=rf"{left} leftover.* {3 * channels} bytes"):
            decoder.finish()
    else:
        decoder.finish()


def test_what_stopped_inside_a_frame_is_not_the_beginning_of_what_follows() -> None:
    decoder = PcmDecoder("s16le")
    decoder.accept(b"\x01")
    with pytest.raises(AudioFormatError, match="1 leftover byte,"):
        decoder.finish()
    assert decoder.accept(b"\x00\x40").tolist() == [0.5]
    decoder.finish()


def test_channels_are_averaged() -> None:
    data = np.array([[0.5, -0.5], [1.0, 0.0], [0.25, 0.25]], "<f4").tobytes()
    assert PcmDecoder("f32le", 2).accept(data).tolist() == [0.0, 0.5, 0.25]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(AudioFormatError, match="not a number"):
        PcmDecoder("f32le").accept(np.array([0.0, value], "<f4").tobytes())


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "message"),
    [
        ("s8", 16_000, 1, "expected one of s16le"),
        ("s16le", 7_999, 1, "8000..192000"),
        ("s16le", 192_001, 1, "got 192001"),
        ("s16le", 16_000, 0, "1..32"),
        ("s16le", 16_000, 33, "got 33"),
    ],
)
def test_a_format_that_cannot_be_is_refused_with_what_was_expected(
    encoding: str, rate: int, channels: int, message: str
) -> None:
    with pytest.raises(AudioFormatError, match=message):
        AudioDoor(encoding, rate, channels)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_keeps_its_pitch_and_level(rate: int) -> None:
    resampler = Resampler(rate)
    out = np.concatenate([resampler.accept(sine(1000, rate)), resampler.finish()])
    assert len(out) == pytest.approx(16_000, abs=1)
    middle = out[4000:12_000].astype(np.float64)
    t = np.arange(len(middle)) / 16_000
    basis = np.stack([np.sin(2 * np.pi * 1000 * t), np.cos(2 * np.pi * 1000 * t)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    assert np.hypot(*weights) == pytest.approx(0.5, rel=0.01)
    assert np.abs(middle - basis @ weights).max() < 1e-4


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 192_000])
def test_what_16_khz_cannot_hold_does_not_come_back_as_something_else(rate: int) -> None:
    resampler = Resampler(rate)
    out = np.concatenate([resampler.accept(sine(9_500, rate)), resampler.finish()])
    assert np.abs(out[1000:-1000]).max() < 1e-4


@pytest.mark.parametrize("rate", RATES)
def test_the_resampler_holds_back_little(rate: int) -> None:
    """Its delay is part of what the user waits for: at most 60 ms."""
    resampler = Resampler(rate)
    block, given_out = sine(500, rate, 0.02), 0
    for number in range(1, 51):
        given_out += len(resampler.accept(block))
        assert given_out >= number * len(block) * 16_000 / rate - 960


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(3))
def test_cutting_the_bytes_changes_nothing(rate: int, seed: int) -> None:
    rng = Random(seed)
    length = rng.randint(1, rate // 2)
    data = np.random.default_rng(seed).integers(-9000, 9000, (length, 2), np.int16).tobytes()
    door = AudioDoor("s16le", rate, 2)
    whole = np.concatenate([door.accept(data), door.finish()])
    assert len(whole) == pytest.approx(length * 16_000 / rate, abs=1)
    door, parts, at = AudioDoor("s16le", rate, 2), [], 0
    while at < len(data):
        size = rng.choice((1, 3, rng.randint(1, 2000)))
        parts.append(door.accept(data[at : at + size]))
        at += size
    np.testing.assert_array_equal(np.concatenate([*parts, door.finish()]), whole)


def test_flushing_the_door_gives_all_audio_so_far_and_starts_afresh() -> None:
    door = AudioDoor("s16le", 48_000)
    data = encode(sine(700, 48_000, 0.2), "s16le")
    first = np.concatenate([door.accept(data), door.flush()])
    second = np.concatenate([door.accept(data), door.finish()])
    assert len(first) == pytest.approx(3200, abs=1)
    np.testing.assert_array_equal(first, second)


def test_a_door_names_the_bytes_that_are_left() -> None:
    door = AudioDoor("s16le", 16_000, 2)
    door.accept(b"\x00" * 7)
    with pytest.raises(AudioFormatError, match=r"3 leftover bytes.*4 bytes \(s16le, channels=2\)"):
        door.finish()


@pytest.mark.parametrize("encoding", ["mulaw", "s16le", "s24le", "f32le"])
def test_channels_are_split_however_the_bytes_are_cut(encoding: str) -> None:
    width = PcmDecoder(encoding).frame_bytes
    channels = [bytes([index]) * width * 50 for index in range(3)]
    frames = [channel[i : i + width] for i in range(0, 50 * width, width) for channel in channels]
    audio = b"".join(frames)
    splitter = ChannelSplitter(encoding, 3)
    parts = [splitter.accept(audio[i : i + 7]) for i in range(0, len(audio), 7)]
    assert [b"".join(part[i] for part in parts) for i in range(3)] == channels
