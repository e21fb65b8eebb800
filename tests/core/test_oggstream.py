from __future__ import annotations

import io
from random import Random

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.oggstream import MOST_PACKET_BYTES, OggPackets
from streamasr.errors import AudioFormatError


def page(body: bytes, table: list[int], serial: int = 7) -> bytes:
    head = b"OggS" + bytes(10) + serial.to_bytes(4, "little") + bytes(8)
    return head + bytes([len(table)]) + bytes(table) + body


def opus_file() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).standard_normal(32_000) * 0.1
    soundfile.write(file, noise, 16_000, format="OGG", subtype="OPUS")
    return file.getvalue()


@pytest.mark.parametrize("seed", range(3))
def test_packets_are_the_same_however_the_bytes_are_cut(seed: int) -> None:
    data, rng, reader = opus_file(), Random(seed), OggPackets()
    packets, at = [], 0
    while at < len(data):
        size = 1 if seed == 0 else rng.randrange(1, 3000)
        packets += reader.accept(data[at : at + size])
        at += size
    reader.finish()
    assert packets == OggPackets().accept(data)
    assert [packet[:8] for packet in packets[:2]] == [b"OpusHead", b"OpusTags"]


def test_a_packet_may_span_pages_and_end_with_nothing() -> None:
    reader = OggPackets()
    assert reader.accept(page(b"a" * 255, [255])) == []
    assert reader.accept(page(b"bc", [1, 1])) == [b"a" * 255 + b"b", b"c"]
    assert reader.accept(page(b"d" * 255, [255, 0])) == [b"d" * 255]


def test_other_streams_are_passed_over() -> None:
    reader = OggPackets()
    assert reader.accept(page(b"a", [1]) + page(b"b", [1], serial=8) + page(b"c", [1])) == [
        b"a",
        b"c",
    ]


def test_what_is_none_or_endless_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="begins with"):
        OggPackets().accept(b"RIFF")
    reader = OggPackets()
    reader.accept(b"Og")
    with pytest.raises(AudioFormatError, match="inside a page"):
        reader.finish()
    endless = page(b"x" * 255 * 255, [255] * 255) * (MOST_PACKET_BYTES // 60_000 + 2)
    with pytest.raises(AudioFormatError, match="longer"):
        OggPackets().accept(endless)


@settings(max_examples=50)
@given(
    st.lists(st.binary(max_size=100).map(lambda body: page(body, [len(body)])), max_size=3),
    st.sampled_from([b"", b"Ogg", b"OggS"]),
    st.binary(max_size=60),
)
def test_any_bytes_are_packets_or_an_error_however_they_are_cut(
    pages: list[bytes], more: bytes, noise: bytes
) -> None:
    whole = page(b"a", [1]) + b"".join(pages) + more + noise
    assert outcome([whole]) == outcome([whole[at : at + 1] for at in range(len(whole))])


def outcome(pieces: list[bytes]) -> list[bytes] | None:
    """The packets, or None for what is refused; any other exception is a fault."""
    reader = OggPackets()
    try:
        packets = [packet for piece in pieces for packet in reader.accept(piece)]
        reader.finish()
    except AudioFormatError:
        return None
    assert packets[0] == b"a"
    return packets
