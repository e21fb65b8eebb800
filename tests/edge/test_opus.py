from __future__ import annotations

import numpy as np
import pytest
import soundfile

from streamasr.core.oggstream import OggPackets
from streamasr.edge.opus import MOST_AT_ONCE, OggOpusDoor, OpusDecoder, OpusDoor
from streamasr.errors import AudioFormatError
from tests.conftest import DATA
from tests.core.test_oggstream import opus_file
from tests.dialects.conftest import CLIP, Clip


def test_ogg_gives_the_sound_back_however_it_is_cut() -> None:
    samples, _ = soundfile.read(DATA / CLIP, dtype="float32")
    data = Clip("", samples).ogg()
    whole = OggOpusDoor().accept(data)
    door = OggOpusDoor()
    parts = [door.accept(data[at : at + 997]) for at in range(0, len(data), 997)]
    assert np.array_equal(np.concatenate([*parts, door.finish()]), whole)
    count = min(len(whole), len(samples))
    assert abs(len(whole) - len(samples)) < 2000
    assert np.corrcoef(whole[:count], samples[:count])[0, 1] > 0.95


def test_packets_after_their_lengths_are_the_same_as_in_ogg() -> None:
    packets = OggPackets().accept(opus_file())[2:]
    framed = b"".join(len(packet).to_bytes(2) + packet for packet in packets)
    door = OpusDoor()
    parts = [door.accept(framed[at : at + 5]) for at in range(0, len(framed), 5)]
    assert np.array_equal(np.concatenate(parts), OpusDecoder().decode(packets))
    assert not len(door.finish())


@pytest.mark.parametrize("data", [b"\0\0", b"\0\x05\xff\xff\xff\xff\xff"])
def test_what_is_no_packet_is_refused(data: bytes) -> None:
    with pytest.raises(AudioFormatError, match="is not Opus"):
        OpusDoor().accept(data)


def test_few_bytes_cannot_stand_for_hours() -> None:
    silence = b"\x1b\x06"  # six frames of 20 ms that hold nothing
    count = MOST_AT_ONCE // 1920 + 1
    with pytest.raises(AudioFormatError):
        OpusDecoder().decode([silence] * count)


def test_ogg_of_something_else_is_refused() -> None:
    from tests.core.test_oggstream import page

    with pytest.raises(AudioFormatError, match="holds no Opus"):
        OggOpusDoor().accept(page(b"\x01vorbis", [7]))
