import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamasr.edge.dictation.control import Control, ask, follow, runtime_folder
from streamasr.errors import StreamasrError, UsageError


def echo(word: str) -> dict[str, object]:
    if word == "start":
        return {"ok": True, "status": {"alt": "listening"}}
    return {"ok": False, "error": f"{word!r} is no command", "remedy": "start"}


def test_a_word_is_answered(tmp_path: Path) -> None:
    with Control.claim(tmp_path) as control:
        control.serve(echo)
        assert ask(tmp_path, "start")["status"] == {"alt": "listening"}
        with pytest.raises(StreamasrError, match=r"'dance' is no command \(start\)"):
            ask(tmp_path, "dance")


def test_followers_see_every_change_and_the_end(tmp_path: Path) -> None:
    seen: list[str] = []
    begun = threading.Event()

    def watch() -> None:
        for status in follow(tmp_path):
            seen.append(status["alt"])
            begun.set()

    with Control.claim(tmp_path) as control:
        control.serve(echo)
        control.publish({"alt": "idle"})
        watcher = threading.Thread(target=watch)
        watcher.start()
        begun.wait()
        control.publish({"alt": "listening"})
        control.publish({"alt": "listening"})
        control.publish({"alt": "idle"})
    watcher.join(timeout=10)
    assert seen == ["idle", "listening", "idle"]


def test_the_state_file_holds_the_status_and_goes_at_the_end(tmp_path: Path) -> None:
    with Control.claim(tmp_path) as control:
        control.publish({"alt": "listening"})
        assert json.loads((tmp_path / "dictate.json").read_text()) == {"alt": "listening"}
        assert (tmp_path / "dictate.socket").stat().st_mode & 0o170000 == 0o140000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dictate.lock"]


def test_a_second_instance_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    with Control.claim(tmp_path), pytest.raises(UsageError, match=f"process {os.getpid()}"):
        Control.claim(tmp_path)
    Control.claim(tmp_path).__exit__()


def test_what_a_killed_instance_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from streamasr.edge.dictation.control import Control\n"
        "control = Control.claim(Path(sys.argv[1])); print('claimed', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "dictate.socket").exists()
    with pytest.raises(StreamasrError, match="no dictation runs"):
        ask(tmp_path, "start")
    with Control.claim(tmp_path) as control:
        control.serve(echo)
        assert ask(tmp_path, "start")["ok"]


@pytest.mark.parametrize("sent", [b"", b"\n", b"x" * 5000, b"\xff\xfe\n", b"start"])
def test_odd_requests_harm_nobody(tmp_path: Path, sent: bytes) -> None:
    with Control.claim(tmp_path) as control:
        control.serve(echo)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "dictate.socket"))
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
            assert b'"ok"' in peer.recv(4096)
        assert ask(tmp_path, "start")["ok"]


def test_without_an_instance_asking_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StreamasrError, match="start one with `streamasr dictate`"):
        ask(tmp_path, "stop")
    with pytest.raises(StreamasrError, match="no dictation runs"):
        next(follow(tmp_path))


def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "streamasr"
    with pytest.raises(StreamasrError, match="set XDG_RUNTIME_DIR"):
        runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path / "none")})
