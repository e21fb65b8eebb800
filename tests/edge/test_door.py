from __future__ import annotations

import httpx
import pytest

from streamasr.core.dialects import Refusal
from streamasr.edge.door import MOST_FIELDS, peer_of, request_of, respond
from streamasr.edge.entrances import ENTRANCES
from tests.edge.daemon import daemon

PATHS = [entrance.path for entrance in ENTRANCES if entrance.path != "/"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_plain_request_is_told_that_this_is_a_websocket(path: str) -> None:
    async with (
        daemon() as running,
        httpx.AsyncClient(base_url=running.http, trust_env=False) as http,
    ):
        answer = await http.get(path)
        assert answer.status_code == 426
        assert answer.headers["upgrade"] == "websocket"
        stranger = await http.get(path, headers={"origin": "https://evil.example"})
        assert stranger.status_code == 403


def test_a_request_is_read_as_far_as_it_is_bounded() -> None:
    scope = {"type": "websocket", "headers": [(b"openai-beta", b"realtime=v1")]}
    request = request_of({**scope, "query_string": b"a=1&a=2&b="}, "mine")
    assert request.query == {"a": ["1", "2"], "b": [""]}
    assert (request.model, request.beta) == ("mine", "realtime=v1")
    assert len(request.session) == 8
    assert request.created.endswith("Z")
    assert request_of({**scope, "query_string": b"a=1&" * MOST_FIELDS}, "").query == {}


def test_what_http_asks_of_a_refusal_is_there() -> None:
    for status, header in ((401, "www-authenticate"), (503, "retry-after"), (426, "upgrade")):
        answer = respond(Refusal(status, "code", "message"), ({"x-own": "y"}, {}))
        assert header in answer.headers
        assert answer.headers["x-own"] == "y"


def test_a_peer_without_an_address_has_a_name() -> None:
    assert peer_of({"client": ("::1", 7)}) == "::1:7"
    assert peer_of({"client": None}) == "?:0"
