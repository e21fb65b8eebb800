"""The web application: the door, the health pages, and the sessions that are open.

    app = create_app(worker, settings)      # for uvicorn; app.state.service is the Service

Who is refused is refused as HTTP, before the websocket opens: 401 and 403 for the request
itself, 503 when there is no room, while the engine loads, and while the service drains.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from streamasr.edge.admission import Admission, Refusal
from streamasr.edge.session import Session
from streamasr.edge.settings import Settings
from streamasr.edge.worker import EngineThread

log = logging.getLogger(__name__)

STREAM_PATH = "/v1/stream"
ABORT = "streamasr.abort"
"""A scope extension of our websocket protocol class: drops the connection at once."""
RETRY_AFTER_S = 2


class Service:
    """All sessions of one daemon and the door in front of them."""

    def __init__(self, worker: EngineThread, settings: Settings) -> None:
        self._worker = worker
        self._settings = settings
        self._admission = Admission.from_settings(settings)
        self._sessions: set[Session] = set()
        self._is_draining = False
        self._cut = 0  # sessions that were cut
        self._changed = asyncio.Event()  # a session ended

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    @property
    def room(self) -> int:
        """The most sessions at a time."""
        return min(self._settings.limits.sessions, self._worker.capacity)

    def not_ready(self) -> str:
        """Why nobody can come in now; empty when the daemon is ready."""
        if self._is_draining:
            return "the server is shutting down"
        if not self._worker.is_ready:
            return "the model is being loaded" if self._worker.is_alive else "the engine failed"
        return ""

    def refuse(self, headers: Headers, query: str) -> Refusal | None:
        """Judge a request for a session: None lets it in."""
        refusal = self._admission.refuse(headers, query)
        if refusal is not None:
            return refusal
        if reason := self.not_ready():
            return Refusal(503, "not_ready", reason, "try again later")
        if self.sessions >= self.room:
            return Refusal(503, "busy", f"all {self.room} sessions are taken", "try again later")
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket request, as an ASGI application."""
        headers = Headers(scope=scope)
        refusal = self.refuse(headers, scope["query_string"].decode("latin-1"))
        if refusal is not None:
            with contextlib.suppress(OSError):
                await _refusal(refusal)(scope, receive, send)
            return
        host, port = scope.get("client") or ("?", 0)
        session = Session(
            self._worker,
            self._settings,
            receive=receive,
            send=send,
            abort=scope["extensions"].get(ABORT, lambda: None),
            peer=f"{host}:{port}",
        )
        self._sessions.add(session)
        try:
            with contextlib.suppress(OSError):  # gone before it began
                await session.run()
        finally:
            self._sessions.discard(session)
            self._changed.set()

    async def drain(self) -> int:
        """Refuse newcomers, let all sessions finish, cut what is left at the deadline.

        Returns how many were cut, then or by `cut` meanwhile.
        """
        self._is_draining = True
        for session in list(self._sessions):
            session.end("drain")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.limits.drain_s):
                await self._all_gone()
        self.cut()
        return self._cut

    async def _all_gone(self) -> None:
        while self._sessions:
            self._changed.clear()
            await self._changed.wait()

    def cut(self) -> None:
        """Drop all connections at once."""
        for session in list(self._sessions):
            session.cut()
            self._cut += 1

    # ---- pages ----

    async def healthz(self, request: Request) -> JSONResponse:
        """Whether the process works; restart it if not."""
        if self._worker.is_alive:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "the engine failed"}, 503)

    async def readyz(self, request: Request) -> JSONResponse:
        """Whether new sessions are welcome; send traffic elsewhere if not."""
        reason = self.not_ready()
        body: dict[str, Any] = {"ready": not reason, "sessions": self.sessions, "room": self.room}
        if reason:
            body["reason"] = reason
        return JSONResponse(body, 503 if reason else 200)

    async def explain(self, request: Request) -> Response:
        """What a websocket would be refused for, which a browser does not tell its pages."""
        refusal = self.refuse(request.headers, request.url.query)
        if refusal is not None:
            return _refusal(refusal)
        body = {
            "code": "not_a_websocket",
            "message": f"{STREAM_PATH} is a websocket",
            "remedy": "connect with a websocket client",
        }
        return JSONResponse(body, 426, {"upgrade": "websocket"})


def _refusal(refusal: Refusal) -> JSONResponse:
    headers = {}
    if refusal.status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    body = {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}
    return JSONResponse(body, refusal.status, headers)


def create_app(worker: EngineThread, settings: Settings, pages: Sequence[Route] = ()) -> Starlette:
    """Build the application; it serves sessions once the worker is ready, ``pages`` at once.

    Raises ConfigError when the token file is no good.
    """
    service = Service(worker, settings)
    app = Starlette(
        routes=[
            WebSocketRoute(STREAM_PATH, service),
            Route(STREAM_PATH, service.explain),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
            *pages,
        ]
    )
    app.state.service = service
    return app
