"""Secrets of OpenAI's realtime interface: a page asks its own server, which asks us for one.

``POST /v1/realtime/client_secrets`` is the GA way, ``/v1/realtime/transcription_sessions`` the
beta's, which NVIDIA's clients begin with too. What is asked for in the body is checked; the
session itself is configured by its own first message.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streamasr.core.dialects import MAX_TEXT_BYTES, Refusal, Refused, Request, openai
from streamasr.core.dialects.openai_realtime import PATH
from streamasr.core.dialects.openai_realtime_config import Config, Unsupported, read_beta, read_ga
from streamasr.edge.door import request_of, respond

if TYPE_CHECKING:
    from streamasr.edge.service import Service


class Minting:
    """The addresses that give out secrets."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        return [
            Route(f"{PATH}/client_secrets", self.ga, methods=["POST"]),
            Route(f"{PATH}/transcription_sessions", self.beta, methods=["POST"]),
        ]

    async def ga(self, request: HttpRequest) -> Response:
        """A secret, and the session that it is for."""
        try:
            asked, body = await self._read(request)
            wanted = body.get("session") or {}
            if not isinstance(wanted, dict):
                openai.refuse("session must be an object", "session")
            config = read_ga(wanted, Config(), asked.model)
            value, expires = self._service.mint(request.headers, request.url.query)
        except (Refused, Unsupported) as error:
            return _refuse(error)
        session = {"id": f"sess_{asked.session}", **config.ga(asked.model)}
        return JSONResponse({"value": value, "expires_at": expires, "session": session})

    async def beta(self, request: HttpRequest) -> Response:
        """The session, with a secret in it."""
        try:
            asked, body = await self._read(request)
            config = read_beta(body, Config(), asked.model)
            value, expires = self._service.mint(request.headers, request.url.query)
        except (Refused, Unsupported) as error:
            return _refuse(error)
        secret = {"value": value, "expires_at": expires}
        session = {"id": f"sess_{asked.session}", **config.beta(asked.model)}
        return JSONResponse({**session, "client_secret": secret})

    async def _read(self, request: HttpRequest) -> tuple[Request, dict[str, Any]]:
        self._service.check_room(1)
        body = b""
        try:
            async with asyncio.timeout(self._service.settings.limits.request_s):
                async for piece in request.stream():
                    body += piece
                    if len(body) > MAX_TEXT_BYTES:
                        openai.refuse(
                            f"the body is longer than {MAX_TEXT_BYTES} bytes", "body", 413
                        )
        except TimeoutError:
            openai.refuse("the body took too long", "body", 408)
        try:
            wanted = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            wanted = None
        if not isinstance(wanted, dict):
            openai.refuse("the body must be a JSON object", "body")
        return request_of(request.scope, self._service.model), wanted


def _refuse(error: Refused | Unsupported) -> Response:
    if isinstance(error, Refused):
        refusal = error.refusal
    else:
        refusal = Refusal(400, error.param, error.message)
    return respond(refusal, openai.answer(refusal, Request()))
