from collections.abc import Iterator

import numpy as np
import pytest

from streamasr.core.audio import Samples
from streamasr.edge.microphone import Heard, Item, Lost, Microphone, Resumed, Stalled
from streamasr.edge.portaudio import PortAudio
from streamasr.errors import DeviceError
from tests.edge.fake_sound import FakeSoundDevice, FakeStream, device

BLOCK = 320
PATIENCE = {"stall_s": 0.05, "first_block_s": 0.2, "retry_s": 0.01}


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def block(value: float, frames: int = BLOCK, channels: int = 1) -> Samples:
    return np.full((frames, channels), value, np.float32)


def microphone(fake: FakeSoundDevice, selector: str | None = None, **options: float) -> Microphone:
    return Microphone(selector, audio=PortAudio(fake), **(PATIENCE | options))  # type: ignore[arg-type]


def heard(items: list[Item]) -> Samples:
    return np.concatenate([item.samples for item in items if isinstance(item, Heard)])


def news(items: list[Item]) -> list[Item]:
    return [item for item in items if not isinstance(item, Heard)]


def next_of(items: Iterator[Item], kind: type[Item]) -> Item:
    return next(item for item in items if isinstance(item, kind))


def newest(fake: FakeSoundDevice) -> FakeStream:
    """Wait until the device is opened once more."""
    assert fake.opened.acquire(timeout=5)
    return fake.streams[-1]


def test_audio_comes_out_as_it_went_in() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        for value in (0.1, 0.2, 0.3):
            fake.streams[0].play(block(value))
        mic.stop()
        items = list(mic.items())
    assert not news(items)
    np.testing.assert_allclose(heard(items), np.repeat([0.1, 0.2, 0.3], BLOCK), rtol=1e-6)


def test_what_was_recorded_before_the_stop_is_still_given() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        fake.streams[0].play(block(0.5))
        mic.stop()
        fake.streams[0].play(block(0.9))
        assert heard(list(mic.items())).max() == 0.5


def test_channels_are_averaged() -> None:
    fake = FakeSoundDevice(device("a", channels=2) | {"mono": False})
    with microphone(fake) as mic:
        fake.streams[0].play(np.column_stack([np.full(BLOCK, 0.2), np.full(BLOCK, 0.4)]))
        mic.stop()
        np.testing.assert_allclose(heard(list(mic.items())), 0.3, rtol=1e-6)


def test_a_device_that_refuses_16_khz_is_resampled() -> None:
    fake = FakeSoundDevice(device("a", rate=48_000, rates=(48_000,)))
    with microphone(fake) as mic:
        stream = fake.streams[0]
        assert (stream.rate, stream.blocksize) == (48_000, 960)
        tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
        for piece in tone.reshape(-1, 960, 1):
            stream.play(piece)
        mic.stop()
        samples = heard(list(mic.items()))
    assert len(samples) == 16_000
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) == 440


def test_a_backlog_drops_the_oldest_and_tells_how_much() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake, backlog_s=0.1) as mic:
        for value in range(10):
            fake.streams[0].play(block(value / 10))
        mic.stop()
        items = list(mic.items())
    samples = heard(items)
    assert samples[-1] == pytest.approx(0.9)
    (lost,) = news(items)
    assert isinstance(lost, Lost)
    assert lost.samples + len(samples) == 10 * BLOCK
    assert len(samples) <= 5 * BLOCK


def test_a_drop_in_the_middle_is_told_between_the_blocks_around_it() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake, backlog_s=0.04) as mic:
        items = mic.items()
        fake.streams[0].play(block(0.1))
        assert isinstance(next(items), Heard)
        for value in (0.2, 0.3, 0.4):
            fake.streams[0].play(block(value))
        assert next(items) == Lost(BLOCK)
        assert heard([next(items)])[0] == pytest.approx(0.3)
        mic.stop()


def test_audio_that_portaudio_dropped_is_measured_by_the_clock() -> None:
    fake = FakeSoundDevice(device("a"))
    clock = Clock()
    with Microphone(audio=PortAudio(fake), clock=clock) as mic:
        clock.now = 0.02
        fake.streams[0].play(block(0.1))
        clock.now = 0.54
        fake.streams[0].play(block(0.1), overflow=True)
        mic.stop()
        assert news(list(mic.items())) == [Lost(8000)]


def test_a_stall_reopens_the_device_and_tells_what_was_lost() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        assert isinstance(next(items), Heard)
        assert next(items) == Stalled("a")
        newest(fake).play(block(0.2))
        assert fake.streams[0].closed
        assert next_of(items, Resumed) == Resumed("a")
        lost = next(items)
        assert isinstance(lost, Lost)
        assert lost.samples > 0.03 * 16_000
        assert heard([next(items)])[0] == pytest.approx(0.2)
        mic.stop()
    assert fake.restarts == 1


def test_a_stream_that_ends_by_itself_is_noticed_at_once() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake, stall_s=60, first_block_s=60) as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        fake.streams[0].end()
        assert next_of(items, Stalled) == Stalled("a")
        newest(fake).play(block(0.2))
        assert next(items) == Resumed("a")
        mic.stop()


def test_a_device_is_waited_for_until_it_returns() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        fake.devices.clear()
        assert next_of(items, Stalled) == Stalled("a")
        for _ in range(3):
            assert fake.restarted.acquire(timeout=5)
        fake.devices.append(device("b"))
        newest(fake).play(block(0.2))
        assert next_of(items, Resumed) == Resumed("b"), "the default is followed"
        mic.stop()


def test_a_chosen_device_is_waited_for_by_name_even_if_its_number_changes() -> None:
    fake = FakeSoundDevice(device("a"), device("wanted"))
    with microphone(fake, "1") as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        fake.devices[:] = [device("wanted"), device("a")]
        assert next_of(items, Stalled) == Stalled("wanted")
        newest(fake).play(block(0.2))
        assert next_of(items, Resumed) == Resumed("wanted")
        assert mic.device.index == 0
        mic.stop()


def test_a_device_that_opens_but_stays_dumb_is_opened_again() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake, first_block_s=0.05) as mic:
        items = mic.items()
        newest(fake)
        assert next(items) == Stalled("a")
        newest(fake)
        assert next(items) == Stalled("a")
        newest(fake).play(block(0.1))
        assert next(items) == Resumed("a")
        assert isinstance(next(items), Heard), "nothing was heard before, so nothing was lost"
        mic.stop()


def test_blocks_of_a_device_that_was_given_up_are_ignored() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        assert next_of(items, Stalled)
        newest(fake).play(block(0.2))
        fake.streams[0].play(block(0.9))
        fake.streams[0].end()
        fake.streams[1].play(block(0.3))
        mic.stop()
        assert heard(list(items)).max() == pytest.approx(0.3)


def test_a_stop_ends_the_wait_for_a_device() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        items = mic.items()
        newest(fake).play(block(0.1))
        fake.devices.clear()
        assert next_of(items, Stalled)
        mic.stop()
        assert list(items) == []


def test_closing_gives_up_on_a_sound_server_that_hangs() -> None:
    fake = FakeSoundDevice(device("a"))
    with microphone(fake) as mic:
        fake.closing.clear()
        mic.stop()
    assert not fake.streams[0].closed
    fake.closing.set()


def test_no_microphone_is_an_error_when_entering() -> None:
    with pytest.raises(DeviceError, match="no microphone"), microphone(FakeSoundDevice()):
        pass
