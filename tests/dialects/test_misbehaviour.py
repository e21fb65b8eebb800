"""Clients of every protocol that send what nobody should send, beside one that behaves."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import AsyncIterator

import numpy as np
import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from streamasr.core.dialects import Entrance
from streamasr.core.events import Event
from streamasr.edge.client import transcribe
from streamasr.edge.entrances import ENTRANCES
from streamasr.edge.wyoming import wyoming
from tests.edge.daemon import Daemon, daemon, expected, pcm, pieces, settled
from tests.fakes import silence, voice

SPEECH = pcm(np.concatenate([silence(0.3), voice(1.2, 1), silence(0.8), voice(0.9, 2)]))
APPEND = {"type": "input_audio_buffer.append", "audio": base64.b64encode(SPEECH[:9999]).decode()}
TEXTS = (
    "", "{", "[]", "\0", "null", "7", '"x"', "é", '{"type": null}', '{"type": {}}', "[" * 5000,
    '{"type": "start", "vad": false}', '{"type": "flush"}', '{"type": "stop"}',
    '{"config": {"sample_rate": 16000, "words": null}}', '{"config": []}', '{"reset" : 1}',
    '{"eof" : 1}', '{"type": "Finalize"}', '{"type": "KeepAlive"}', '{"type": "CloseStream"}',
    '{"type": "Configure"}', '{"type": "session.update", "session": {"audio": 7}}',
    '{"type": "session.update", "session": {"type": "transcription"}}', json.dumps(APPEND),
    '{"type": "transcription_session.update", "session": {"turn_detection": null}}',
    '{"type": "input_audio_buffer.commit"}', '{"type": "input_audio_buffer.clear"}',
)  # fmt: skip
QUERIES = (
    "", "?encoding=mulaw", "?encoding=opus", "?intent=transcription", "?%ff=%00&token",
    "?multichannel=true&channels=2&encoding=linear16&sample_rate=8000",
)  # fmt: skip
EVENTS = (
    b'{"type": "describe"}\n', b'{"type": "ping"}\n', b'{"type": "audio-stop"}\n', b"\n", b"{}\n",
    b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n',
    b'{"type": "audio-chunk", "payload_length": 4}\n\x01\x02\x03\x04', b"\xff\xfe\n",
    b'{"type": "audio-chunk", "data_length": 3}\n{}', b'{"type": "audio-start"}\n',
)  # fmt: skip


@pytest.fixture
async def running(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Daemon]:
    """A daemon that must find nothing to complain of: the mistakes are those of clients."""
    async with daemon(server__wyoming_port=0) as running:
        yield running
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def hear(running: Daemon) -> list[Event]:
    events: list[Event] = []
    await transcribe(running.url, pieces(SPEECH), on_event=events.append)
    return settled(events)


async def over_websocket(url: str, rng: random.Random) -> None:
    subprotocols = rng.choice([None, ["realtime", "realtime-token.x"], ["token", "x"]])
    with contextlib.suppress(ConnectionClosed, InvalidHandshake):
        async with open_websocket(
            url + rng.choice(QUERIES),
            subprotocols=subprotocols,  # type: ignore[arg-type]
            compression=None,
            proxy=None,
        ) as socket:
            for _ in range(rng.randrange(20)):
                if rng.random() < 0.5:
                    await socket.send(rng.randbytes(rng.choice((0, 1, 999, 50_000))))
                else:
                    await socket.send(rng.choice(TEXTS))
                await asyncio.sleep(0)
            if rng.random() < 0.7:
                socket.transport.abort()


async def over_tcp(port: int, rng: random.Random) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        for _ in range(rng.randrange(30)):
            writer.write(rng.choice(EVENTS))
            await writer.drain()
        if rng.random() < 0.5:
            writer.transport.abort()
        else:
            writer.write_eof()
            await reader.read()
    writer.close()


@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda entrance: entrance.path)
async def test_websockets(running: Daemon, entrance: Entrance) -> None:
    path = entrance.path
    good = asyncio.create_task(hear(running))
    clients = (over_websocket(running.url + path, random.Random(f"{path}{i}")) for i in range(25))
    await asyncio.gather(*clients)
    assert await good == expected(SPEECH)


async def test_wyoming(running: Daemon) -> None:
    service = running.service
    async with wyoming(service) as port:
        assert port
        good = asyncio.create_task(hear(running))
        await asyncio.gather(*(over_tcp(port, random.Random(i)) for i in range(25)))
        assert await good == expected(SPEECH)
        await running.until(lambda: service.sessions == 0)
