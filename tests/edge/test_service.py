import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from streamasr.core.messages import WireError
from streamasr.core.recognizer import Engine
from streamasr.edge.client import Client, connect
from streamasr.edge.service import CROWD, client_of
from streamasr.edge.service import STREAM_PATH as PATH
from streamasr.errors import ConfigError, OverloadError, UsageError
from tests.edge.daemon import Daemon, daemon, pcm
from tests.edge.test_session import Held
from tests.fakes import ScriptedEngine, tone


async def get(url: str, path: str) -> tuple[int, Any]:
    """HTTP GET: status and JSON body."""
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def refusal(running: Daemon, path: str = PATH, **options: Any) -> tuple[int, Any]:
    """Status and body of the answer that keeps us out."""
    with pytest.raises(InvalidStatus) as caught:
        async with open_websocket(running.url + path, proxy=None, **options):
            pass
    response = caught.value.response
    return response.status_code, json.loads(response.body or b"null")


async def test_health_and_readiness_of_a_daemon_that_serves() -> None:
    async with daemon(limits__sessions=5) as running:
        assert await get(running.url, "/healthz") == (200, {"status": "ok"})
        ready = {"ready": True, "sessions": 0, "room": 5}
        assert await get(running.url, "/readyz") == (200, ready)
        async with connect(running.url):
            assert (await get(running.url, "/readyz"))[1]["sessions"] == 1


async def test_readiness_flips_when_the_engine_is_warm() -> None:
    gate = threading.Event()
    engine = ScriptedEngine()

    def open_engine() -> Engine:
        assert gate.wait(20)
        return engine

    async with daemon(engine, open_engine=open_engine, is_loaded=False) as running:
        starting = asyncio.create_task(running.worker.start())
        status, body = await get(running.url, "/readyz")
        assert (status, body["reason"]) == (503, "the model is being loaded")
        assert (await get(running.url, "/healthz"))[0] == 200
        assert (await refusal(running))[0] == 503
        gate.set()
        await starting
        assert (await get(running.url, "/readyz"))[0] == 200
        async with connect(running.url):
            pass


async def test_health_ends_with_the_engine() -> None:
    def open_engine() -> Engine:
        raise ConfigError("no model")

    async with daemon(open_engine=open_engine, is_loaded=False) as running:
        with pytest.raises(ConfigError):
            await running.worker.start()
        assert (await get(running.url, "/healthz"))[0] == 503
        assert (await get(running.url, "/readyz"))[1]["reason"] == "the engine failed"


async def test_too_many_sessions_are_refused_at_the_door() -> None:
    async with daemon(limits__sessions=2) as running, connect(running.url):
        async with connect(running.url):
            status, body = await refusal(running)
            assert status == 503
            assert body["code"] == "busy"
            assert "all 2 sessions" in body["message"]
        await running.until(lambda: running.service.sessions == 1)
        async with connect(running.url) as client:
            await client.stop()


async def test_the_engine_bounds_the_sessions_too() -> None:
    async with daemon(ScriptedEngine(capacity=1)) as running, connect(running.url):
        with pytest.raises(OverloadError, match="all 1 sessions"):
            async with connect(running.url):
                pass


async def test_a_token_opens_the_door(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("right\n")
    file.chmod(0o600)
    async with daemon(server__token_file=str(file)) as running:
        async with connect(running.url, token="right") as client:
            await client.stop()
        async with connect(running.url + "/v1/stream?token=right") as client:
            await client.stop()
        with pytest.raises(UsageError, match="Authorization: Bearer"):
            async with connect(running.url, token="wrong"):
                pass
        status, body = await refusal(running)
        assert (status, body["code"]) == (401, "token")
        assert (await get(running.url, "/healthz"))[0] == 200


async def test_a_missing_token_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        async with daemon(server__token_file=str(tmp_path / "nowhere")):
            pass


async def test_pages_from_elsewhere_stay_outside() -> None:
    async with daemon() as running:
        status, body = await refusal(running, origin="https://evil.example")
        assert (status, body["code"]) == (403, "origin")
        ours = Origin("http://localhost:8080")
        async with open_websocket(running.url + PATH, origin=ours, proxy=None):
            pass


async def test_the_stream_address_without_a_websocket_says_what_it_is() -> None:
    async with daemon() as running:
        status, body = await get(running.url, "/v1/stream")
        assert status == 426
        assert "websocket" in body["message"]


async def test_the_stream_address_tells_a_browser_why_a_websocket_was_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "tokens"
    file.write_text("right\n")
    file.chmod(0o600)
    async with daemon(server__token_file=str(file), limits__sessions=1) as running:
        assert (await get(running.url, "/v1/stream?token=right"))[0] == 426
        assert await get(running.url, "/v1/stream") == await refusal(running)
        async with connect(running.url, token="right"):
            status, body = await get(running.url, "/v1/stream?token=right")
            assert (status, body["code"]) == (503, "busy")


async def test_draining_finishes_what_is_open_and_refuses_what_is_new() -> None:
    async with daemon() as running, connect(running.url, vad=False) as client:
        await client.send(pcm(tone(1.0)))
        first = await anext(aiter(client))
        assert first is not None
        draining = asyncio.create_task(running.service.drain())
        events = [event async for event in client]
        assert await draining == 0
        assert client.closed is not None
        assert client.closed.reason == "drain"
        assert any(hasattr(event, "reason") for event in events)
        assert (await get(running.url, "/readyz"))[1]["reason"] == "the server is shutting down"
        assert (await refusal(running))[1]["code"] == "not_ready"


@contextlib.asynccontextmanager
async def overrun(engine: Held, **settings: Any) -> AsyncIterator[tuple[Daemon, Client]]:
    """A client that has sent ten seconds where half a second is taken; then the engine stands."""
    async with daemon(engine, limits__inbox_s=0.5, **settings) as running:
        engine.gate.clear()
        async with connect(running.url, vad=False) as client:
            for _ in range(20):
                await client.send(pcm(tone(0.5)))
            await running.until(lambda: any(s._is_waiting for s in running.service._sessions))
            yield running, client


async def test_draining_hears_all_that_was_sent_too_fast() -> None:
    engine = Held()
    async with overrun(engine) as (running, client):
        draining = asyncio.create_task(running.service.drain())
        await asyncio.sleep(0.1)
        engine.gate.set()
        async for _ in client:
            pass
        assert await draining == 0
    assert client.closed is not None
    assert (client.closed.reason, client.closed.position) == ("drain", 160_000)


async def test_draining_waits_half_of_its_time_for_a_client_that_is_too_fast() -> None:
    engine = Held()
    async with overrun(engine, limits__drain_s=2.0) as (running, client):
        draining = asyncio.create_task(running.service.drain())
        await running.until(lambda: any(s._reason for s in running.service._sessions))
        engine.gate.set()
        async for _ in client:
            pass
        assert await draining == 0
    assert client.closed is not None
    assert client.closed.reason == "drain"
    assert 0 < client.closed.position < 160_000


async def test_draining_an_empty_daemon_takes_no_time() -> None:
    async with daemon() as running:
        async with asyncio.timeout(0.5):
            assert await running.service.drain() == 0


async def test_a_session_that_never_started_drains_too() -> None:
    async with daemon() as running, open_websocket(running.url + PATH, proxy=None) as connection:
        await running.until(lambda: running.service.sessions == 1)
        assert await running.service.drain() == 0
        closed = json.loads(await connection.recv())
        assert closed["reason"] == "drain"


async def test_newcomers_are_refused_while_rounds_take_longer_than_steps() -> None:
    async with daemon() as running, contextlib.AsyncExitStack() as stack:
        for _ in range(CROWD):
            await stack.enter_async_context(connect(running.url))
        assert not running.service.is_overloaded
        running.worker.round_s = 0.079
        with pytest.raises(OverloadError, match="limit"):
            async with connect(running.url):
                pass
        running.worker.round_s = 0.0


async def test_an_engine_that_fails_is_told_to_all_sessions() -> None:
    async with daemon() as running, connect(running.url) as client:
        running.service.fail(running.worker)
        with pytest.raises(WireError, match="engine failed"):
            await client.stop()


async def test_a_client_has_no_more_sessions_than_it_may() -> None:
    async with daemon(limits__client_sessions=2) as running:
        async with connect(running.url), connect(running.url):
            status, body = await refusal(running)
            assert (status, body["code"]) == (429, "busy")
            with pytest.raises(OverloadError, match="the 2 sessions that it may have"):
                async with connect(running.url):
                    pass
        await running.until(lambda: running.service.sessions == 0)
        async with connect(running.url):
            pass


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("192.0.2.7:80", "192.0.2.7"),
        ("::ffff:192.0.2.7:80", "192.0.2.7"),
        ("2001:db8::1:80", "2001:db8::/64"),
        ("2001:db8::ffff:ffff:ffff:ffff:80", "2001:db8::/64"),
        ("2001:db8:0:1::1:80", "2001:db8:0:1::/64"),
        ("fe80::1%eth0:80", "fe80::/64"),
        ("?:0", "?"),
        ("", ""),
    ],
)
def test_clients_are_known_by_address_or_network(peer: str, client: str) -> None:
    assert client_of(peer) == client
