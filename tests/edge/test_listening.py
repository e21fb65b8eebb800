from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from streamasr.edge.listening import FIRST_GIVEN, SEND_BUFFER_BYTES, WYOMING, Given, listen
from streamasr.errors import ConfigError, StreamasrError
from tests.edge.daemon import settings_of


def test_connections_inherit_what_keeps_them_bounded() -> None:
    with listen(settings_of()) as sock:
        sent = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert SEND_BUFFER_BYTES <= sent <= 2 * SEND_BUFFER_BYTES
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_port_in_use_is_told_with_its_number() -> None:
    with listen(settings_of()) as sock:
        port = sock.getsockname()[1]
        for options in ({}, {"is_held": True}):
            with pytest.raises(
                StreamasrError, match=rf"port {port}: Address already in use \(choose"
            ):
                listen(settings_of(server__port=port), **options)


def test_workers_listen_where_the_supervisor_holds_the_port() -> None:
    with listen(settings_of(), is_shared=True, is_held=True) as held:
        port = held.getsockname()[1]
        one = listen(settings_of(server__port=port), is_shared=True)
        two = listen(settings_of(server__port=port), is_shared=True)
        with one, two:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            two.listen()
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.getpeername()[1] == port


@contextlib.contextmanager
def passed_on(*socks: socket.socket, names: str = "") -> Iterator[dict[str, str]]:
    """The environment of a process that was given these sockets, which lie where they belong."""
    fds = range(FIRST_GIVEN, FIRST_GIVEN + len(socks))
    kept = {fd: os.dup(fd) for fd in fds}  # the test runner's own
    for fd, sock in zip(fds, socks, strict=True):
        os.dup2(sock.fileno(), fd)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(socks))}
    try:
        yield environ | ({"LISTEN_FDNAMES": names} if names else {})
    finally:
        for fd, copy in kept.items():
            os.dup2(copy, fd)
            os.close(copy)


def address(sock: socket.socket) -> tuple[str, int]:
    host, port = sock.getsockname()[:2]
    return host, port


def test_sockets_of_systemd_are_taken_by_their_names() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        passed_on(one, two, names="streamasr.socket:" + WYOMING) as environ,
    ):
        given = Given.take(environ)
        assert [address(sock) for sock in given.web] == [address(one)]
        assert [address(sock) for sock in given.wyoming] == [address(two)]
        assert environ == {}
        settings = given.settle(settings_of())
        assert (settings.server.host, settings.server.port) == address(one)
        assert settings.server.wyoming_port == address(two)[1]
        for sock in (*given.web, *given.wyoming):
            assert not sock.get_inheritable()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            sock.detach()


def test_sockets_that_are_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    assert Given.take(environ) == Given()
    assert Given().settle(settings_of()) == settings_of()


def test_a_socket_that_others_can_reach_needs_tokens() -> None:
    with socket.create_server(("0.0.0.0", 0)) as sock, socket.create_server(("127.0.0.1", 0)) as my:
        given = Given(web=(my, sock))
        with pytest.raises(ConfigError, match=r"0\.0\.0\.0 can be reached"):
            given.settle(settings_of())
        settled = given.settle(settings_of(server__insecure=True))
        assert not settled.is_local


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_what_is_no_listening_tcp_socket_is_refused(family: socket.AddressFamily) -> None:
    with (
        socket.socket(family) as sock,
        passed_on(sock) as environ,
        pytest.raises(ConfigError, match="no listening TCP socket"),
    ):
        Given.take(environ)
