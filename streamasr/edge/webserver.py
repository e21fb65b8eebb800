"""uvicorn as this daemon uses it: stopped by us, quiet, and able to drop a connection.

server = Server(app, settings)
await server.serve([sock])          # until server.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streamasr.edge.door import ABORT
from streamasr.edge.settings import Settings
from streamasr.edge.tls import Certificate

PING_INTERVAL_S = 20.0
"""Keeps the paths through routers open; a late answer is no reason to hang up."""
GOODBYE_S = 2
"""Left for closing handshakes once all sessions are over."""


class HttpProtocol(H11Protocol):
    """uvicorn's HTTP, which does not wait for ever for the head of a request."""

    def __init__(self, *args: Any, request_s: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request_s = request_s
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is h11.IDLE:  # the next request is still to come
            self._expect()
        else:
            self._forget_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect()

    def _expect(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._request_s, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket, with a way to drop a connection whose peer does not read."""

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[ABORT] = self.transport.abort
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # it was refused: uvicorn logs that as our mistake


class Server(uvicorn.Server):
    """uvicorn's server, stopped by us: no signal handlers of its own, no clock ticks."""

    def __init__(
        self, app: Starlette, settings: Settings, certificate: Certificate | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(HttpProtocol, request_s=settings.limits.request_s),  # type: ignore[arg-type]
                ws=WebSocketProtocol,
                ws_max_size=_most(settings),
                ws_ping_interval=PING_INTERVAL_S,
                ws_ping_timeout=None,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GOODBYE_S,
            )
        )
        # at lower levels these log the request's query, and with it the token
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self.config.load()
        self.config.ssl = certificate.context if certificate is not None else None
        self._stop = asyncio.Event()
        self.listens = asyncio.Event()
        """Set once connections are accepted."""

    def allow(self, settings: Settings) -> None:
        """Apply what new connections may do."""
        self.config.ws_max_size = _most(settings)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def main_loop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Stop listening and close what connections are left."""
        self._stop.set()


def _most(settings: Settings) -> int:
    """Bytes of a message before the connection breaks; up to there it is told what is allowed."""
    return 2 * settings.limits.message_bytes
