"""What all of OpenAI's interfaces share: the names of models, and what an error looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from streamasr.core.dialects import Answer, Refusal, Refused, Request

FAMILIES = ("whisper-", "gpt-4o", "gpt-realtime")
"""Names of OpenAI's that stand for the one model here, so that programs need no change."""
INVALID = "invalid_request_error"
KINDS = {401: ("authentication_error", "invalid_api_key"), 503: ("server_error", None)}


def check_model(name: str, ours: str) -> None:
    """Raise Refused for a model that neither is here nor stands for what is."""
    if name and name != ours and not name.startswith(FAMILIES):
        refuse(f"The model {name[:60]!r} does not exist; {ours!r} does", "model", 404)


def check_language(language: str) -> None:
    """Raise Refused for all but English."""
    if language and language.lower().replace("_", "-").partition("-")[0] not in ("en", "english"):
        refuse(
            f"language {language[:20]!r} is not supported: this server knows English", "language"
        )


def refuse(message: str, param: str, status: int = 400) -> NoReturn:
    """Raise Refused about a parameter."""
    raise Refused(Refusal(status, param, message))


def error_body(
    message: str, *, kind: str = INVALID, param: str | None = None, code: str | None = None
) -> Mapping[str, Any]:
    """An error as all of OpenAI's interfaces tell it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(refusal: Refusal, request: Request) -> Answer:
    """A refusal as OpenAI's HTTP errors are; the code of ours that names a parameter does so."""
    message = f"{refusal.message}: {refusal.remedy}" if refusal.remedy else refusal.message
    if refusal.status in KINDS:
        kind, code = KINDS[refusal.status]
        return {}, error_body(message, kind=kind, code=code or refusal.code)
    if refusal.status == 404:
        return {}, error_body(message, param=refusal.code, code="model_not_found")
    return {}, error_body(message, param=refusal.code)
