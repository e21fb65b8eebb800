import os
import subprocess
import sys

import pytest

from streamasr.edge.portaudio import PortAudio, libraries_apart, quiet_libraries
from streamasr.errors import DeviceError, MissingExtra
from tests.edge.fake_sound import FakeSoundDevice, device


def speakers(name: str) -> dict[str, object]:
    return device(name, channels=0)


def test_only_devices_that_record_are_listed_and_the_default_is_marked() -> None:
    audio = PortAudio(FakeSoundDevice(speakers("loud"), device("a"), device("b"), default=2))
    assert [(d.index, d.name, d.default) for d in audio.inputs()] == [
        (1, "a", False),
        (2, "b", True),
    ]


def test_without_a_default_the_first_device_is_taken() -> None:
    audio = PortAudio(FakeSoundDevice(device("a"), device("b"), default=-1))
    assert audio.find(None).name == "a"


@pytest.mark.parametrize(
    ("selector", "name"),
    [("1", "USB Mic"), ("usb mic", "USB Mic"), ("rain", "train"), ("pul", "pulse")],
)
def test_a_device_is_found_by_number_or_part_of_its_name(selector: str, name: str) -> None:
    audio = PortAudio(FakeSoundDevice(device("train"), device("USB Mic"), device("pulse")))
    assert audio.find(selector).name == name


def test_an_exact_name_wins_over_names_that_contain_it() -> None:
    audio = PortAudio(FakeSoundDevice(device("usb front"), device("usb")))
    assert audio.find("usb").index == 1


def test_a_name_that_fits_several_devices_is_refused_with_the_choice() -> None:
    audio = PortAudio(FakeSoundDevice(device("usb front"), device("usb back")))
    with pytest.raises(DeviceError, match="0: usb front, 1: usb back"):
        audio.find("usb")


@pytest.mark.parametrize("selector", ["7", "nothing like it"])
def test_a_device_that_is_not_there_is_refused(selector: str) -> None:
    with pytest.raises(DeviceError, match="no input device"):
        PortAudio(FakeSoundDevice(device("a"))).find(selector)


def test_no_device_at_all_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match=r"no microphone found \(plug one in"):
        PortAudio(FakeSoundDevice(speakers("loud"))).find(None)


@pytest.mark.parametrize(
    ("rates", "mono", "agreed"),
    [
        ((16_000,), True, (16_000, 1)),
        ((44_100,), True, (44_100, 1)),
        ((16_000,), False, (16_000, 2)),
    ],
    ids=["16 kHz mono", "own rate", "own channels"],
)
def test_opening_takes_the_best_that_the_device_agrees_to(
    rates: tuple[int, ...], mono: bool, agreed: tuple[int, int]
) -> None:
    fake = FakeSoundDevice(device("a", channels=2, rate=44_100, rates=rates) | {"mono": mono})
    audio = PortAudio(fake)
    opened = audio.open(audio.find(None), lambda *_: None, lambda: None)
    assert (fake.streams[0].rate, fake.streams[0].channels) == agreed
    assert opened.sample_rate == agreed[0]


def test_a_busy_device_is_an_error_that_names_it() -> None:
    fake = FakeSoundDevice(device("a"))
    fake.busy = True
    audio = PortAudio(fake)
    with pytest.raises(DeviceError, match="cannot record from 'a': Device unavailable"):
        audio.open(audio.find(None), lambda *_: None, lambda: None)


def test_a_restart_sees_new_devices() -> None:
    fake = FakeSoundDevice()
    audio = PortAudio(fake)
    fake.devices.append(device("plugged in"))
    assert audio.inputs() == []
    audio.restart()
    assert [d.name for d in audio.inputs()] == ["plugged in"]


def test_a_restart_that_fails_is_a_device_error() -> None:
    fake = FakeSoundDevice()
    fake.broken = True
    with pytest.raises(DeviceError, match="does not start"):
        PortAudio(fake).restart()


def test_a_missing_sounddevice_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtra, match=r"streamasr\[mic\]"):
        PortAudio()


def test_what_libraries_write_is_silenced_and_what_we_write_afterwards_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_libraries():
        os.write(2, b"ALSA lib complains\n")
    os.write(2, b"we speak\n")
    assert capfd.readouterr().err == "we speak\n"


APART = """
import logging, os, sys
from streamasr.edge.portaudio import libraries_apart
logging.basicConfig(level=logging.INFO, format="%(message)s")
with libraries_apart() as err:
    os.write(2, b"Expression failed\\n")
    err.write("a note\\n")
    err.flush()
    logging.info("a log line")
    print("an error", file=sys.stderr)
os.write(2, b"afterwards\\n")
logging.info("the log goes on")
"""


def test_while_we_record_the_error_stream_is_ours() -> None:
    done = subprocess.run([sys.executable, "-c", APART], capture_output=True, text=True)
    assert done.stderr.splitlines() == [
        "a note",
        "a log line",
        "an error",
        "afterwards",
        "the log goes on",
    ]


def test_a_stream_that_is_not_the_process_s_is_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with libraries_apart() as err:
        assert err is sys.stderr
