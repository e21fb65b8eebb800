"""Connections that do not ask, over real sockets."""

import asyncio

import pytest

from streamasr.edge.client import connect
from tests.edge.daemon import daemon, pcm
from tests.fakes import tone

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


async def spoken(url: str, *pieces: bytes) -> bytes:
    """All that comes back, until the other side hangs up."""
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize("said", [b"", b"G", HEAD], ids=["nothing", "a letter", "half a head"])
async def test_who_asks_for_nothing_is_cut(said: bytes) -> None:
    async with daemon(limits__request_s=0.1) as running:
        assert await spoken(running.url, said) in (b"", b"reset")


async def test_half_a_second_request_is_cut_too() -> None:
    async with daemon(limits__request_s=0.1) as running:
        answer = await spoken(running.url, HEAD + b"\r\n", HEAD)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    head = b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    async with daemon(limits__request_s=0.1) as running:
        assert (await spoken(running.url, head)).startswith(b"HTTP/1.1 408")


async def test_sessions_last_longer_than_requests_may() -> None:
    async with daemon(limits__request_s=0.1) as running, connect(running.url, vad=False) as client:
        await asyncio.sleep(0.5)
        await client.send(pcm(tone(0.5)))
        assert (await client.stop()).audio_s == 0.5
