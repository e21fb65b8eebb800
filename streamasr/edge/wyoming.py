"""The port of the Wyoming protocol: TCP connections to sessions.

    async with wyoming(service) as port: ...

The protocol knows no passwords, so the port is open to this machine alone unless
``server.insecure`` says otherwise. Where it can be reached from elsewhere, it is announced
to the network if the package zeroconf is installed, which is how Home Assistant finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from streamasr.core.dialects import Refusal, Refused, Request
from streamasr.core.dialects.wyoming import Event, Wyoming, write
from streamasr.edge.announce import announced
from streamasr.edge.connections import Connections
from streamasr.edge.listening import farthest, listen
from streamasr.edge.settings import is_loopback
from streamasr.errors import StreamasrError

if TYPE_CHECKING:
    from streamasr.edge.service import Service

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
HIGH_WATER_BYTES = 64 * 1024
"""Of what a client has not read, before `TcpTransport.send` waits."""


class TcpTransport:
    """A TCP connection whose frames are whatever bytes arrive at a time."""

    is_file = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("peername")[:2]
        self.peer = f"{host}:{port}"
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)

    async def receive(self) -> str | bytes | None:
        try:
            return await self._reader.read(READ_BYTES) or None
        except OSError:
            return None

    async def send(self, frame: str | bytes) -> None:
        self._writer.write(frame.encode() if isinstance(frame, str) else frame)
        await self._writer.drain()

    async def close(self, code: int, reason: str) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def wyoming(
    service: Service, *, is_shared: bool = False, given: Sequence[socket.socket] = ()
) -> AsyncIterator[int | None]:
    """Listen until the block ends; gives the port, None where it is taken or switched off.

    With ``is_shared`` other processes of ours listen there too. Sockets that are ``given``
    take the place of our own.
    """
    server = service.settings.server
    if not given and server.wyoming_port < 0:
        yield None
        return
    ours = replace(server, host=server.wyoming_host, port=server.wyoming_port)
    try:
        socks = given or [listen(replace(service.settings, server=ours), is_shared=is_shared)]
    except StreamasrError as error:
        log.warning("no Wyoming: %s; choose another server.wyoming_port, or -1", error.message)
        yield None
        return
    connections = Connections(
        lambda reader, writer: _converse(service, TcpTransport(reader, writer))
    )
    listening = [await asyncio.start_server(connections, sock=sock) for sock in socks]
    host, port = farthest(socks)
    try:
        async with contextlib.AsyncExitStack() as stack:
            if not is_loopback(host):
                await stack.enter_async_context(announced(host, port))
            yield port
    finally:
        for each in listening:
            each.close()
        await connections.end()


async def _converse(service: Service, transport: TcpTransport) -> None:
    """One connection, to its end."""
    name = secrets.token_hex(4)
    try:
        service.check_client(transport.peer)
        service.check_room(Wyoming.streams)
    except Refused as refused:
        with contextlib.suppress(OSError):
            await transport.send(_refusal(refused.refusal))
        service.meters.refusals.labels(Wyoming.name, refused.refusal.code).inc()
        return
    dialect = Wyoming(Request(session=name, model=service.model))
    session = service.session(dialect, transport, name)
    with service.counting(session), contextlib.suppress(OSError):
        await session.run()


def _refusal(refusal: Refusal) -> bytes:
    text = f"{refusal.message}: {refusal.remedy}"
    return write(Event("error", {"text": text, "code": refusal.code}))
