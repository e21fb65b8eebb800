import itertools
import json
import socket
import sys
from pathlib import Path

import pytest

from streamasr.app import doctor
from streamasr.app.commands.doctor import report
from streamasr.app.doctor import (
    Check,
    Status,
    check_engine,
    check_ffmpeg,
    check_gpu,
    check_libraries,
    check_microphone,
    check_model,
    check_port,
    check_python,
    check_sound_server,
    examine,
    sound_sockets,
)
from streamasr.edge import portaudio
from tests.edge.fake_sound import FakeSoundDevice, device


def test_python_of_this_test_is_good_and_an_old_one_is_not() -> None:
    assert check_python().status is Status.OK
    assert check_python((3, 9, 2)) == Check(
        "python", Status.FAIL, "3.9.2", "install Python 3.11 or newer"
    )


def test_a_library_that_does_not_load_is_named() -> None:
    assert check_libraries().status is Status.OK
    broken = check_libraries(("numpy", "no_such_library"))
    assert broken.status is Status.FAIL
    assert "no_such_library" in broken.found


def test_a_whole_model_is_good_and_a_damaged_one_fails(tiny_bundle: Path, tmp_path: Path) -> None:
    good = check_model(str(tiny_bundle))
    assert good.status is Status.OK
    assert "ms latency" in good.found
    bad = check_model(str(tmp_path))
    assert bad.status is Status.FAIL
    assert bad.remedy


def test_a_slow_engine_warns_and_one_slower_than_speech_fails(tiny_bundle: Path) -> None:
    checks = []
    for step_s in (0.001, 0.05, 0.1):
        times = (i * step_s for i in itertools.count())
        checks.append(check_engine(str(tiny_bundle), clock=times.__next__))
    assert [check.status for check in checks] == [Status.OK, Status.WARN, Status.FAIL]
    assert "1.00 ms a step" in checks[0].found


def test_an_engine_without_a_model_is_not_tried() -> None:
    assert check_engine("no-such-model").status is Status.FAIL


def test_a_missing_gpu_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert check_gpu().status is Status.OK


@pytest.mark.parametrize(
    ("fake", "status"),
    [(FakeSoundDevice(device("usb")), Status.OK), (FakeSoundDevice(), Status.WARN)],
    ids=["one", "none"],
)
def test_a_missing_microphone_is_a_warning(
    fake: FakeSoundDevice, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "load", lambda: fake)
    assert check_microphone().status is status


def test_a_missing_sounddevice_is_a_warning_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    check = check_microphone()
    assert check.status is Status.WARN
    assert "streamasr[mic]" in check.remedy


def test_a_sound_server_is_one_that_answers(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    (tmp_path / "pipewire-0").touch()
    assert check_sound_server(environ).status is Status.WARN, "a file is no server"
    (tmp_path / "pipewire-0").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "pipewire-0"))
        server.listen()
        check = check_sound_server(environ)
    assert (check.status, check.found) == (Status.OK, f"answers at {tmp_path}/pipewire-0")


def test_the_sound_server_that_the_environment_names_comes_first() -> None:
    environ = {"PULSE_SERVER": "unix:/tmp/mine", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert [str(path) for path in sound_sockets(environ)] == [
        "/tmp/mine",
        "/run/user/7/pulse/native",
        "/run/user/7/pipewire-0",
    ]


def test_ffmpeg_is_wanted_but_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert check_ffmpeg(str(broken)).status is Status.WARN
    broken.write_text("#!/bin/sh\necho ffmpeg version 9 Copyright them\n")
    assert check_ffmpeg(str(broken)) == Check("ffmpeg", Status.OK, "ffmpeg version 9")
    broken.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(doctor, "ANSWER_S", 0.1)
    slow = check_ffmpeg(str(broken))
    assert (slow.status, "does not answer" in slow.found) == (Status.WARN, True)
    monkeypatch.setenv("PATH", "/nowhere")
    assert check_ffmpeg().remedy == "apt install ffmpeg"


def test_a_port_in_use_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert check_port(port).status is Status.WARN
    assert check_port(port).status is Status.OK


def test_a_check_that_breaks_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Check:
        raise ValueError("what now")

    monkeypatch.setattr(doctor, "check_ffmpeg", broken)
    monkeypatch.setattr(doctor, "check_gpu", lambda: Check("gpu", Status.OK, "none"))
    checks = {check.name: check for check in examine("no-such-model")}
    assert checks["ffmpeg"].status is Status.FAIL
    assert checks["ffmpeg"].found == "ValueError: what now"
    assert "port" in checks
    assert checks["model"].status is Status.FAIL


GOOD = Check("python", Status.OK, "3.11")
POOR = Check("ffmpeg", Status.WARN, "not installed", "apt install ffmpeg")
BAD = Check("model", Status.FAIL, "none", "install one")


def test_each_check_is_a_line_and_a_remedy_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([GOOD, POOR], as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "ok    python: 3.11",
        "warn  ffmpeg: not installed",
        "      -> apt install ffmpeg",
    ]


def test_only_a_failure_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([GOOD, POOR], as_json=True)
    assert not report([GOOD, BAD], as_json=True)
    record = json.loads(capsys.readouterr().out.splitlines()[1])
    assert record["ok"] is False
    assert record["checks"][1] == {
        "name": "model",
        "status": "fail",
        "found": "none",
        "remedy": "install one",
    }
