import json

import pytest

from streamasr.app.cli import run
from streamasr.app.commands.devices import show
from streamasr.edge import portaudio
from streamasr.edge.portaudio import PortAudio
from tests.edge.fake_sound import FakeSoundDevice, device


def sound() -> FakeSoundDevice:
    return FakeSoundDevice(device("Built-in"), device("USB Mic", channels=2), default=1)


def test_devices_are_a_table_with_the_default_marked(capsys: pytest.CaptureFixture[str]) -> None:
    show(PortAudio(sound()).inputs(), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "   N  NAME      SYSTEM  CHANNELS  RATE HZ",
        "   0  Built-in  ALSA           1    48000",
        "*  1  USB Mic   ALSA           2    48000",
    ]


def test_devices_are_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    show(PortAudio(sound()).inputs(), as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert (first["name"], first["default"]) == ("Built-in", False)
    assert second == {
        "index": 1,
        "name": "USB Mic",
        "host": "ALSA",
        "channels": 2,
        "sample_rate": 48_000,
        "default": True,
    }


@pytest.mark.parametrize("args", [[], ["--json"]])
def test_no_device_is_exit_code_1(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(portaudio, "load", FakeSoundDevice)
    with pytest.raises(SystemExit) as leaving:
        run(["devices", *args])
    assert leaving.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ("[]\n" if args else "")
    assert bool(captured.err) == (not args)
