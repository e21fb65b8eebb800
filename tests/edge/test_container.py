from __future__ import annotations

import sys

import numpy as np
import pytest

from streamasr.core.wavstream import WavDoor
from streamasr.edge.container import ContainerDoor
from streamasr.edge.media import MediaDoor
from streamasr.edge.opus import OggOpusDoor
from streamasr.errors import AudioFormatError
from tests.core.test_oggstream import opus_file
from tests.dialects.conftest import Clip
from tests.fakes import tone


def test_the_first_bytes_choose_the_door() -> None:
    wav = Clip("", tone(0.3)).wav()
    for data, door in ((wav, WavDoor()), (opus_file(), OggOpusDoor())):
        container = ContainerDoor()
        parts = [container.accept(data[at : at + 3]) for at in range(0, len(data), 3)]
        assert np.array_equal(np.concatenate([*parts, container.finish()]), door.accept(data))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("webm", "libopus"),
        ("flac", "flac"),
        ("mp3", "libmp3lame"),
        ("adts", "aac"),
    ],
)
def test_what_others_made_goes_to_their_libraries(name: str, codec: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'streamasr[media]'")
    data = Clip("", tone(1.0)).media(name, codec)
    door, container = MediaDoor(), ContainerDoor()
    parts = [container.accept(data[at : at + 7]) for at in range(0, len(data), 7)]
    samples = np.concatenate([*parts, container.finish()])
    assert np.array_equal(samples, np.concatenate([door.accept(data), door.finish()]))
    assert len(samples) > 12_000


@pytest.mark.parametrize(
    "head", [b"\x1aE\xdf\xa3", b"fLaC", b"ID3", b"\xff\xfb", b"OggS", b"0000ftyp"]
)
def test_without_those_the_client_is_told_what_to_send(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFormatError, match="cannot be decoded here") as error:
        ContainerDoor().accept(head.ljust(40, b"\0"))
    assert "streamasr[media]" in error.value.remedy


def test_neither_is_refused_and_nothing_is_legal() -> None:
    with pytest.raises(AudioFormatError):
        ContainerDoor().accept(b"hello there" * 10)
    short = ContainerDoor()
    assert not len(short.accept(b"hello"))
    with pytest.raises(AudioFormatError):
        short.finish()
    assert not len(ContainerDoor().finish())
