from __future__ import annotations

import socket

import pytest

from streamasr.edge.listening import SEND_BUFFER_BYTES, listen
from streamasr.errors import StreamasrError
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
            with pytest.raises(StreamasrError, match=f"port {port}: Address already in use"):
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
