import sys

import pytest

from streamasr.app.cli import run
from streamasr.edge import portaudio
from tests.edge.fake_sound import FakeSoundDevice, device


def mic(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["mic", *args])
    return int(leaving.value.code or 0)


def test_without_sounddevice_one_line_names_the_extra(
    tiny_bundle: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert mic("--model", str(tiny_bundle)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "streamasr[mic]" in line


def test_without_a_microphone_one_line_says_what_to_do(
    tiny_bundle: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(portaudio, "load", FakeSoundDevice)
    assert mic("--model", str(tiny_bundle)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no microphone found (plug one in" in line


def test_an_unknown_input_is_one_line(
    tiny_bundle: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(portaudio, "load", lambda: FakeSoundDevice(device("a")))
    assert mic("--model", str(tiny_bundle), "--input", "zzz") == 1
    assert "no input device 'zzz'" in capsys.readouterr().err
