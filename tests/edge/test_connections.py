from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from streamasr.edge.connections import Connections


async def open_to(
    connections: Connections,
) -> tuple[asyncio.Server, StreamReader, StreamWriter]:
    server = await asyncio.start_server(connections, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    return server, reader, writer


async def test_a_connection_is_closed_when_its_conversation_is_over() -> None:
    async def shout(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write((await reader.readline()).upper())

    connections = Connections(shout)
    server, reader, writer = await open_to(connections)
    writer.write(b"hello\n")
    assert await reader.read() == b"HELLO\n"  # and its end
    writer.close()
    server.close()
    await connections.end()


@pytest.mark.parametrize("clients", [1, 3])
async def test_no_conversation_outlives_the_end(clients: int) -> None:
    ended = []
    begun = asyncio.Semaphore(0)

    async def wait(reader: StreamReader, writer: StreamWriter) -> None:
        begun.release()
        try:
            await reader.read()
        finally:
            ended.append(asyncio.current_task())

    connections = Connections(wait)
    server, *first = await open_to(connections)
    others = [
        await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for _ in range(clients - 1)
    ]
    for _ in range(clients):
        await begun.acquire()
    server.close()
    await connections.end()
    assert len(ended) == clients
    for reader, writer in [first, *others]:
        assert await reader.read() == b""  # closed from the other side
        writer.close()
