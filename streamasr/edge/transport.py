"""How frames come and go: one small surface for websockets and everything else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Transport(Protocol):
    """An open connection; all that waits raises OSError once the peer is gone."""

    peer: str
    """Address and port, for the log."""
    is_file: bool
    """Whether all of it is there already, to be answered as a whole or not at all."""

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the connection is closed."""
        ...

    async def send(self, frame: str | bytes) -> None:
        """Send a frame; waits while the peer does not read."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close in order."""
        ...

    def abort(self) -> None:
        """Drop the connection at once."""
        ...


class WebSocket:
    """A websocket of the ASGI server."""

    is_file = False

    def __init__(
        self, receive: Receive, send: Send, *, abort: Callable[[], None], peer: str
    ) -> None:
        self.peer = peer
        self._receive = receive
        self._send = send
        self._abort = abort

    async def accept(
        self, *, subprotocol: str | None = None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Open it, before anything else."""
        await self._receive()  # websocket.connect
        message = {"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers}
        await self._send(message)

    async def receive(self) -> str | bytes | None:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | None = message.get("bytes")
        if data is not None:
            return data
        text: str = message["text"]
        return text

    async def send(self, frame: str | bytes) -> None:
        kind = "bytes" if isinstance(frame, bytes) else "text"
        await self._send({"type": "websocket.send", kind: frame})

    async def close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def abort(self) -> None:
        self._abort()
