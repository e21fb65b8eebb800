"""The whole way: real sockets, many clients, a scripted engine whose text tells them apart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import numpy as np
import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed

from streamasr.core.events import Event
from streamasr.core.options import StreamOptions
from streamasr.edge.client import connect, transcribe
from tests.edge.daemon import Daemon, daemon, expected, pcm, pieces, settled
from tests.fakes import check_promises, silence, tone, voice

NO_GATE = StreamOptions(vad=False)


@pytest.fixture
async def running() -> AsyncIterator[Daemon]:
    async with daemon() as running:
        yield running


def speech(seed: int) -> bytes:
    """Two utterances of a voice of its own."""
    parts = [silence(0.3), voice(1.2, seed), silence(0.8), voice(0.9, seed + 100), silence(0.7)]
    return pcm(np.concatenate(parts))


async def hear(url: str, audio: bytes, rng: random.Random) -> list[Event]:
    """Send audio in pieces of random length, giving way now and then; return all events."""
    events: list[Event] = []
    sent = 0
    chunks: list[bytes] = []
    while sent < len(audio):
        size = rng.choice((1, 321, 3200, 9999))
        chunks.append(audio[sent : sent + size])
        sent += size

    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            if rng.random() < 0.3:
                await asyncio.sleep(0)
            yield chunk

    await transcribe(url, source(), on_event=events.append)
    return events


async def test_ten_clients_at_once_hear_their_own_words(running: Daemon) -> None:
    audios = [speech(seed) for seed in range(10)]
    heard = await asyncio.gather(
        *(hear(running.url, audio, random.Random(i)) for i, audio in enumerate(audios))
    )
    for audio, events in zip(audios, heard, strict=True):
        check_promises(events)
        assert settled(events) == expected(audio)
    texts = {tuple(event.text for event in events if hasattr(event, "text")) for events in heard}
    assert len(texts) == 10
    assert max(running.engine.batches) > 1


async def test_audio_byte_by_byte_is_heard_the_same(running: Daemon) -> None:
    audio = pcm(tone(0.3))
    transcript = await transcribe(running.url, pieces(audio, 1), vad=False)
    wanted = [event for event in expected(audio, NO_GATE) if hasattr(event, "reason")]
    assert list(transcript.finals) == wanted


async def test_many_sessions_one_after_the_other_leave_nothing_behind(running: Daemon) -> None:
    audio = pcm(tone(0.2))
    for _ in range(30):
        await transcribe(running.url, [audio], vad=False)
    await running.until(lambda: running.service.sessions == 0)
    assert running.engine.open_slots == 0


@pytest.mark.parametrize("seed", range(5))
async def test_clients_that_misbehave_hurt_nobody(running: Daemon, seed: int) -> None:
    rng = random.Random(seed)
    audio = speech(seed)
    good = asyncio.create_task(hear(running.url, audio, rng))
    await asyncio.gather(*(misbehave(running.url, random.Random(f"{seed}.{i}")) for i in range(12)))
    assert settled(await good) == expected(audio)


async def misbehave(url: str, rng: random.Random) -> None:
    """Send what nobody should send, and leave without a word."""
    texts = ["", "{", "[]", '{"type":"start"}', '{"type":"flush"}', '{"type":"stop"}', "\0", "é"]
    async with open_websocket(url + "/v1/stream", compression=None, proxy=None) as connection:
        try:
            if rng.random() < 0.7:
                await connection.send('{"type": "start", "vad": false}')
            for _ in range(rng.randrange(20)):
                if rng.random() < 0.8:
                    await connection.send(rng.randbytes(rng.choice((0, 1, 999, 50_000))))
                else:
                    await connection.send(rng.choice(texts))
                await asyncio.sleep(0)
        except ConnectionClosed:
            return
        if rng.random() < 0.7:
            connection.transport.abort()


async def test_a_pause_between_sentences_keeps_the_session(running: Daemon) -> None:
    audio = speech(3)
    async with connect(running.url) as client:
        for piece in pieces(audio):
            await client.send(piece)
        await client.flush()
        for piece in pieces(audio):
            await client.send(piece)
        closed = await client.stop()
        events = [event async for event in client]
    check_promises(events)
    assert closed.utterances == 4
    assert settled(events)[: len(expected(audio))] == expected(audio)
