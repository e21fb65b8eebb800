"""The door of one dialect: from a request for a websocket to a session, or to a refusal.

Who is refused is refused as HTTP, before the websocket opens, in the dialect's own words.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from streamasr.core.dialects import Answer, Dialect, Entrance, Refusal, Refused, Request
from streamasr.edge.transport import WebSocket

if TYPE_CHECKING:
    from streamasr.edge.service import Service

ABORT = "streamasr.abort"
"""A scope extension of our websocket protocol class: drops the connection at once."""
RETRY_AFTER_S = 2
MOST_FIELDS = 200
"""Of a query."""


class Door:
    """An ASGI application for the websockets of a dialect."""

    def __init__(self, service: Service, entrance: Entrance) -> None:
        self._service = service
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, self._service.model)
        try:
            dialect = self._open(request, scope)
        except Refused as refused:
            self._service.meters.refusals.labels(self._entrance.path, refused.refusal.code).inc()
            answer = respond(refused.refusal, self._entrance.answer(refused.refusal, request))
            with contextlib.suppress(OSError):
                await answer(scope, receive, send)
            return
        with contextlib.suppress(OSError):  # gone before it began
            await self._converse(dialect, request, scope, receive, send)

    def _open(self, request: Request, scope: Scope) -> Dialect:
        """Begin a dialect if the request is granted; raises Refused."""
        query = scope["query_string"].decode("latin-1")
        self._service.admit(Headers(scope=scope), query, peer_of(scope))
        if query.count("&") >= MOST_FIELDS:
            raise Refused(
                Refusal(400, "bad_field", f"the query has more than {MOST_FIELDS} fields")
            )
        dialect = self._entrance.open(request)
        self._service.check_room(dialect.streams)
        return dialect

    async def _converse(
        self, dialect: Dialect, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        abort = scope["extensions"].get(ABORT, lambda: None)
        transport = WebSocket(receive, send, abort=abort, peer=peer_of(scope))
        entrance = self._entrance
        chosen = [name for name in request.subprotocols if name in entrance.subprotocols]
        headers = [(k.encode(), v.encode()) for k, v in entrance.headers(request).items()]
        session = self._service.session(dialect, transport, request.session)
        with self._service.counting(session):
            await transport.accept(subprotocol=chosen[0] if chosen else None, headers=headers)
            await session.run()

    async def explain(self, request: HttpRequest) -> Response:
        """What a websocket would be refused for, which a browser does not tell its pages."""
        try:
            self._service.admit(request.headers, request.url.query, peer_of(request.scope))
            refusal = Refusal(
                426,
                "not_a_websocket",
                f"{self._entrance.path} is a websocket",
                "connect with a websocket client",
            )
        except Refused as refused:
            refusal = refused.refusal
        asked = request_of(request.scope, self._service.model)
        return respond(refusal, self._entrance.answer(refusal, asked))


def request_of(scope: Scope, model: str) -> Request:
    """What a dialect may know of a request; the fields of a query that is too long are none."""
    query = scope["query_string"].decode("latin-1")
    if query.count("&") >= MOST_FIELDS:
        query = ""
    return Request(
        session=secrets.token_hex(4),
        query=parse_qs(query, keep_blank_values=True),
        subprotocols=scope.get("subprotocols") or (),
        beta=Headers(scope=scope).get("openai-beta", ""),
        model=model,
        created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )


def respond(refusal: Refusal, answer: Answer) -> JSONResponse:
    """A refusal as an HTTP response."""
    headers: dict[str, str] = {}
    if refusal.status in (429, 503):
        headers["retry-after"] = str(RETRY_AFTER_S)
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refusal.status == 426:
        headers["upgrade"] = "websocket"
    own, body = answer
    return JSONResponse(body, refusal.status, {**headers, **own})


def peer_of(scope: Scope) -> str:
    """Address and port of a client, for the log."""
    host, port = scope.get("client") or ("?", 0)
    return f"{host}:{port}"
