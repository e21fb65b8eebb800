"""TCP connections as tasks, none of which outlives its server.

connections = Connections(converse)
server = await asyncio.start_server(connections, host, port)
...
server.close()
await connections.end()
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

Converse = Callable[[StreamReader, StreamWriter], Awaitable[None]]
"""Serves one connection, which is closed when it returns or raises."""


class Connections:
    """What `asyncio.start_server` calls for each connection."""

    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._open: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection has a task"
        self._open.add(task)
        try:
            await self._converse(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def end(self) -> None:
        """Cancel what is still open, and wait for it."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
