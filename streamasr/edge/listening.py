"""The listening sockets: addresses, and how the connections that they accept behave.

with listen(settings) as sock: ...               # our own
given = Given.take(os.environ)                   # systemd's (socket activation), if there are
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace

from streamasr.edge.settings import Settings, check, is_loopback
from streamasr.errors import ConfigError, StreamasrError

BACKLOG = 1024
SEND_BUFFER_BYTES = 64 * 1024
"""Of the kernel, for each connection: what a client that does not read can make us keep."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""A machine that vanished is noticed after a minute."""
FIRST_GIVEN = 3
"""The first file descriptor that systemd passes on."""
WYOMING = "wyoming"
"""``FileDescriptorName=`` of a socket for Wyoming; any other name is for HTTP."""


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
        # the standard library's own text for a port in use says the address a second time
        reason = error.strerror or str(error)
        if error.errno and not isinstance(error, socket.gaierror):
            reason = os.strerror(error.errno)
        raise StreamasrError(
            f"cannot listen on {host} port {port}: {reason}",
            remedy="choose another --host or --port",
        ) from error
    _tune(sock)
    return sock


@dataclass(frozen=True, slots=True)
class Given:
    """Sockets that somebody else opened for us; none of either kind: we open our own."""

    web: tuple[socket.socket, ...] = ()
    wyoming: tuple[socket.socket, ...] = ()

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Given:
        """Take what systemd left at ``LISTEN_FDS``, so that no child takes it again.

        Raises ConfigError for what is no listening TCP socket.
        """
        asked = environ.pop("LISTEN_PID", "")
        count = environ.pop("LISTEN_FDS", "")
        names = environ.pop("LISTEN_FDNAMES", "").split(":")
        if asked != str(os.getpid()) or not count.isdecimal():
            return cls()
        web: list[socket.socket] = []
        wyoming: list[socket.socket] = []
        for number in range(int(count)):
            name = names[number] if number < len(names) else ""
            (wyoming if name == WYOMING else web).append(_adopt(FIRST_GIVEN + number))
        return cls(tuple(web), tuple(wyoming))

    def settle(self, settings: Settings) -> Settings:
        """The settings with the addresses of these sockets, which must be allowed by them.

        Raises ConfigError as `check` does: a socket that others can reach needs tokens.
        """
        server = settings.server
        if self.web:
            host, port = farthest(self.web)
            server = replace(server, host=host, port=port)
        if self.wyoming:
            host, port = farthest(self.wyoming)
            server = replace(server, wyoming_host=host, wyoming_port=port)
        settled = replace(settings, server=server)
        check(settled)
        return settled

    def close(self) -> None:
        for sock in (*self.web, *self.wyoming):
            sock.close()


def _adopt(fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        is_good = (
            sock.family in (socket.AF_INET, socket.AF_INET6)
            and sock.type == socket.SOCK_STREAM
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
        if not is_good:
            sock.close()
    except OSError:
        is_good = False
    if not is_good:
        raise ConfigError(
            f"file descriptor {fd}, which we were given, is no listening TCP socket",
            remedy="the socket unit needs ListenStream=ADDRESS:PORT and Accept=no",
        )
    _tune(sock)
    return sock


def farthest(socks: Sequence[socket.socket]) -> tuple[str, int]:
    """The address that most can reach, for it decides what has to be asked of clients."""
    addresses = [sock.getsockname()[:2] for sock in socks]
    host, port = min(addresses, key=lambda address: is_loopback(address[0]))
    return host, port


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # asyncio sets this only for sockets that were made with IPPROTO_TCP by name
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in KEEPALIVE.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


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
