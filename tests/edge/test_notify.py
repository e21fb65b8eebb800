import os
import socket
from pathlib import Path

import pytest

from streamasr.edge.notify import notify


@pytest.mark.parametrize("prefix", ["", "@"])
def test_the_state_arrives_as_one_datagram(tmp_path: Path, prefix: str) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + path if prefix else path)
        notify("READY=1", environ={"NOTIFY_SOCKET": prefix + path})
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("named", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_nothing_is_sent_where_systemd_did_not_ask(
    named: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("relative")
        sock.setblocking(False)
        notify("READY=1", environ=named)
        with pytest.raises(BlockingIOError):
            sock.recv(100)


def test_nobody_listening_is_no_failure_and_leaves_no_socket_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    notify("READY=1", environ={"NOTIFY_SOCKET": "/does/not/exist"})
    assert len(os.listdir("/proc/self/fd")) == before
