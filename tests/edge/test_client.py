import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from streamasr.core.events import Event, Final
from streamasr.core.messages import Limits, Ready, WireError
from streamasr.core.options import StreamOptions
from streamasr.core.protocol import encode
from streamasr.edge.client import Client, connect, transcribe
from streamasr.edge.lane import Samples
from streamasr.errors import AudioFormatError, OverloadError, PeerError, UsageError
from tests.edge.daemon import Daemon, daemon, expected, pcm, pieces, settled
from tests.fakes import silence, tone, voice

NO_GATE = StreamOptions(vad=False)
AUDIO = pcm(tone(1.0))
READY = encode(Ready("ab", 1, "en", "x", 16_000, 105.0, Limits(1, 2, 3.0, 4.0, 5.0)))


@pytest.fixture
async def running() -> AsyncIterator[Daemon]:
    async with daemon() as running:
        yield running


async def test_events_come_as_the_core_makes_them(running: Daemon) -> None:
    async with connect(running.url, vad=False) as client:
        assert client.ready.model == "scripted"
        assert client.ready.engine == "scripted"
        assert client.ready.sample_rate == 16_000
        for piece in pieces(AUDIO):
            await client.send(piece)
        closed = await client.stop()
        events = [event async for event in client]
    assert settled(events) == expected(AUDIO, NO_GATE)
    assert closed.reason == "stop"
    assert closed.position == len(AUDIO) // 2
    assert closed.audio_s == pytest.approx(1.0)
    assert closed.utterances == 1
    assert closed.compute_s > 0
    assert client.closed == closed


async def test_events_can_be_read_while_sending(running: Daemon) -> None:
    async with connect(running.url, vad=False) as client:
        events = aiter(client)
        await client.send(AUDIO)
        first = await anext(events)
        await client.stop()
        rest = [event async for event in events]
    assert settled([first, *rest]) == expected(AUDIO, NO_GATE)


async def test_flush_returns_when_its_final_is_there(running: Daemon) -> None:
    async with connect(running.url, vad=False) as client:
        await client.send(AUDIO)
        await client.flush()
        await client.flush()
        events = aiter(client)
        while not isinstance(event := await anext(events), Final):
            pass
        assert event.reason == "finish"
        closed = await client.stop()
        assert closed.utterances == 1


async def test_transcribe_joins_the_finals(running: Daemon) -> None:
    audio = pcm(_two_voices())
    heard: list[Event] = []
    transcript = await transcribe(running.url, pieces(audio), on_event=heard.append)
    assert settled(heard) == expected(audio)
    assert len(transcript.finals) == 2
    assert transcript.text == " ".join(final.text for final in transcript.finals)
    assert transcript.closed.utterances == 2


def _two_voices() -> Samples:
    return np.concatenate([voice(1.5), silence(1.0), voice(1.2, seed=1), silence(0.2)])


async def test_transcribe_takes_an_async_source_and_paces_it(running: Daemon) -> None:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces(AUDIO[:16_000]):
            yield piece

    loop = asyncio.get_running_loop()
    began = loop.time()
    transcript = await transcribe(running.url, source(), realtime=True, vad=False)
    assert loop.time() - began >= 0.45
    assert transcript.closed.audio_s == pytest.approx(0.5)


async def test_what_is_not_raw_cannot_be_paced(running: Daemon) -> None:
    with pytest.raises(UsageError, match="cannot be paced"):
        await transcribe(running.url, [], realtime=True, encoding="wav")


async def test_leaving_early_is_allowed(running: Daemon) -> None:
    async with connect(running.url, vad=False) as client:
        await client.send(AUDIO)
    assert client.closed is None
    await running.until(lambda: running.service.sessions == 0)


async def test_ignored_features_are_told(running: Daemon) -> None:
    async with connect(
        running.url, hotwords=["a"], grammar=["b"], alternatives=2, punctuate=True
    ) as client:
        assert set(client.ready.ignored) == {"grammar", "hotwords", "alternatives", "punctuate"}
        await client.stop()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:2700", "ws://", "ws://[::1"])
async def test_a_wrong_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="no websocket address"):
        async with connect(url):
            pass


async def test_nobody_there_is_a_peer_error_with_a_remedy() -> None:
    with pytest.raises(PeerError, match=r"cannot reach .*is the server running"):
        async with connect("ws://127.0.0.1:1"):
            pass


async def test_a_wrong_argument_is_a_usage_error(running: Daemon) -> None:
    with pytest.raises(UsageError, match="sample_rate must be"):
        async with connect(running.url, sample_rate=5):
            pass


async def test_audio_that_is_not_what_was_declared_is_a_format_error(running: Daemon) -> None:
    async with connect(running.url, vad=False) as client:
        await client.send(AUDIO + b"x")
        with pytest.raises(AudioFormatError, match="1 leftover byte"):
            await client.stop()
        events: list[Event] = []
        with pytest.raises(AudioFormatError):
            await collect(client, events)
        assert settled(events) == expected(AUDIO, NO_GATE)


async def collect(client: Client, events: list[Event]) -> None:
    async for event in client:
        events.append(event)


async def test_a_full_server_is_an_overload_error() -> None:
    async with daemon(limits__sessions=1) as running, connect(running.url):
        with pytest.raises(OverloadError, match="all 1 sessions"):
            async with connect(running.url):
                pass


Script = Callable[[ServerConnection], Awaitable[None]]


async def meet(script: Script, use: Callable[[str], Awaitable[None]]) -> None:
    """Run a client against a server that follows a script."""
    async with serve(script, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await use(f"ws://127.0.0.1:{port}")


async def _open_only(url: str) -> None:
    async with connect(url, open_timeout_s=0.2):
        pass


async def _open_and_stop(url: str) -> None:
    async with connect(url) as client:
        await client.stop()


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([], "did not answer"),
        (["garbage"], "not valid JSON"),
        (['{"type": "flushed"}'], "did not say ready"),
        ([READY, READY], "said ready twice"),
        ([READY, "garbage"], "not valid JSON"),
    ],
)
async def test_a_server_that_makes_no_sense_is_a_peer_error(answers: list[str], fault: str) -> None:
    async def script(connection: ServerConnection) -> None:
        for answer in answers:
            await connection.send(answer)
        await connection.wait_closed()

    with pytest.raises(PeerError, match=fault):
        await meet(script, _open_only if len(answers) < 2 else _open_and_stop)


async def test_a_server_that_vanishes_is_a_peer_error() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(READY)
        await connection.recv()
        connection.transport.abort()

    async def use(url: str) -> None:
        async with connect(url) as client:
            with pytest.raises(PeerError, match="broke off"):
                await client.stop()
            with pytest.raises(PeerError, match="broke off"):
                await client.flush()
            with pytest.raises(PeerError, match="broke off"):
                async for _ in client:
                    pass

    await meet(script, use)


async def test_a_server_that_leaves_before_ready_is_a_peer_error() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.close(1011, "no mood")

    with pytest.raises(PeerError, match="1011 no mood"):
        await meet(script, _open_only)


async def test_an_error_with_an_unknown_code_keeps_the_code() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send('{"type": "error", "code": "future", "message": "m", "remedy": "r"}')
        await connection.wait_closed()

    with pytest.raises(WireError, match=r"m \(r\)") as caught:
        await meet(script, _open_only)
    assert caught.value.code == "future"
