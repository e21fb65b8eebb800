"""Tell systemd how the service is doing; nothing at all when systemd did not ask.

notify("READY=1")
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


def notify(state: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Send one datagram to NOTIFY_SOCKET; a lost one is no reason to fail."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
    ):
        sock.connect(address)
        sock.send(state.encode())


def reloading() -> None:
    """Tell that new settings are being read; ``READY=1`` tells that it is done."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
