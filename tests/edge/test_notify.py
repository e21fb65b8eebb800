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


@pytest.mark.parametrize("address", ["", "relative", "/does/not/exist"])
def test_nobody_listening_is_no_failure(address: str) -> None:
    notify("READY=1", environ={"NOTIFY_SOCKET": address})
    notify("READY=1", environ={})
