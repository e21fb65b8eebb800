from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.edge.daemon import daemon

GA, BETA = "/v1/realtime/client_secrets", "/v1/realtime/transcription_sessions"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        daemon() as running,
        httpx.AsyncClient(base_url=running.http, trust_env=False) as http,
    ):
        yield http


async def test_a_secret_comes_with_the_session_that_was_asked_for(http: httpx.AsyncClient) -> None:
    body = {"session": {"type": "transcription", "audio": {"input": {"turn_detection": None}}}}
    answer = (await http.post(GA, json=body)).json()
    assert answer["value"].startswith("ek_")
    assert answer["session"]["audio"]["input"]["turn_detection"] is None
    answer = (await http.post(BETA, json={"input_audio_format": "g711_alaw"})).json()
    assert answer["client_secret"]["value"].startswith("ek_")
    assert answer["input_audio_format"] == "g711_alaw"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        (GA, b"[", 400, "body"),
        (GA, b'{"session": 7}', 400, "session"),
        (GA, b'{"session": {"type": "realtime"}}', 400, "session.type"),
        (BETA, b"7", 400, "body"),
        (BETA, b'{"include": ["x"]}', 400, "session.include"),
        (BETA, b" " * 70_000, 413, "body"),
    ],
)
async def test_what_cannot_be_is_refused(
    http: httpx.AsyncClient, path: str, body: bytes, status: int, param: str
) -> None:
    answer = await http.post(path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param
    assert (await http.get(path)).status_code == 405
