"""The listening socket: its address, and how the connections that it accepts behave."""

from __future__ import annotations

import socket

from streamasr.edge.settings import Settings
from streamasr.errors import StreamasrError

BACKLOG = 1024
SEND_BUFFER_BYTES = 64 * 1024
"""Of the kernel, for each connection: what a client that does not read can make us keep."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""A machine that vanished is noticed after a minute."""


def listen(settings: Settings, *, is_shared: bool = False, is_held: bool = False) -> socket.socket:
    """Open the listening socket; raises StreamasrError naming address and reason.

    With ``is_shared`` other processes of ours may listen there too, and the socket does so
    only once asyncio serves it: nobody is dealt to a worker that is not ready. With ``is_held``
    the port is taken for them, and must not be another daemon's.
    """
    host, port = settings.server.host, settings.server.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        if is_held:
            _check_free(family, address)
        if is_held or is_shared:
            sock = _bound(family, address)
        else:
            sock = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise StreamasrError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            remedy="choose another --host or --port",
        ) from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # asyncio sets this only for sockets that were made with IPPROTO_TCP by name
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in KEEPALIVE.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _check_free(family: int, address: tuple[object, ...]) -> None:
    """Raise OSError when another daemon has the port, although it would share it with us."""
    if address[1]:
        socket.create_server(address, family=family).close()
