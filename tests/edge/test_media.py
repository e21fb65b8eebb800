"""Files of other kinds, decoded as they arrive; made by the same libraries' encoders."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import soundfile

from streamasr.edge.media import MOST_AT_ONCE, MediaDoor
from streamasr.errors import AudioFormatError, MissingExtra
from tests.conftest import DATA
from tests.dialects.conftest import CLIP, Clip

pytest.importorskip("av", reason="PyAV is not installed: pip install 'streamasr[media]'")

KINDS = [
    ("webm", "libopus"),
    ("flac", "flac"),
    ("mp3", "libmp3lame"),
    ("adts", "aac"),
]


@pytest.fixture(scope="module")
def clip() -> Clip:
    samples, _ = soundfile.read(DATA / CLIP, dtype="float32")
    return Clip("", samples)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The highest correlation within 0.15 s: encoders put silence before the sound."""
    size = min(len(one), len(other)) - 5000
    shifts = [one[2500 + by : size + by] for by in range(-2500, 2500, 4)]
    return max(float(np.corrcoef(shifted, other[2500:size])[0, 1]) for shifted in shifts)


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_the_sound_comes_back_however_the_file_is_cut(
    clip: Clip, container: str, codec: str
) -> None:
    data = clip.media(container, codec)
    whole = MediaDoor()
    samples = np.concatenate([whole.accept(data), whole.finish()])
    assert abs(len(samples) - len(clip.samples)) < 4000
    assert likeness(samples, clip.samples) > 0.85
    for size in (97, 1000):
        door = MediaDoor()
        parts = [door.accept(data[at : at + size]) for at in range(0, len(data), size)]
        assert np.array_equal(np.concatenate([*parts, door.finish()]), samples)


def test_webm_is_heard_while_it_arrives(clip: Clip) -> None:
    data = clip.media("webm", "libopus")
    door, heard = MediaDoor(), 0
    for at in range(0, len(data), 500):
        heard += len(door.accept(data[at : at + 500]))
        spoken = min(1.0, (at + 500) / len(data)) * len(clip.samples)
        assert at < 4096 or spoken - heard < 8000


@pytest.mark.parametrize("data", [b"hello there " * 500, b"\x1aE\xdf\xa3" + bytes(6000)])
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    door = MediaDoor()
    with pytest.raises(AudioFormatError):  # noqa: PT012  the libraries may want more first
        door.accept(data)
        door.finish()
    with pytest.raises(AudioFormatError):
        door.accept(data)


def test_nothing_is_legal_and_half_a_file_is_as_much_as_it_is(clip: Clip) -> None:
    assert not len(MediaDoor().finish())
    data = clip.media("flac", "flac")
    door = MediaDoor()
    samples = np.concatenate([door.accept(data[: len(data) // 2]), door.finish()])
    assert 0.3 < len(samples) / len(clip.samples) < 0.7


def test_few_bytes_cannot_stand_for_hours() -> None:
    data = Clip("", np.zeros(2 * MOST_AT_ONCE, np.float32)).media("flac", "flac")
    door = MediaDoor()
    with pytest.raises(AudioFormatError, match="more audio"):  # noqa: PT012
        for _ in range(3):  # what came before the fault is given first
            door.accept(data)


def test_a_door_that_is_forgotten_leaves_no_thread(clip: Clip) -> None:
    door = MediaDoor()
    door.accept(clip.media("webm", "libopus")[:300])
    (thread,) = [each for each in threading.enumerate() if each.name == "media"]
    del door
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_without_the_library_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match="media"):
        MediaDoor()
