import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed

from streamasr.core.events import Final
from streamasr.core.messages import ERRORS
from streamasr.core.model import Emissions
from streamasr.core.options import StreamOptions
from streamasr.edge.client import connect, transcribe
from streamasr.edge.lane import Samples
from tests.edge.daemon import Daemon, as_sent, daemon, expected, pcm, pieces, settled
from tests.fakes import ScriptedEngine, silence, tone, voice

NO_GATE = StreamOptions(vad=False)
AUDIO = pcm(tone(1.0))
START = '{"type": "start", "vad": false}'


@pytest.fixture
async def running() -> AsyncIterator[Daemon]:
    async with daemon() as running:
        yield running


def plain(running: Daemon, **options: Any) -> open_websocket:
    """A websocket without a client around it."""
    url = running.url + "/v1/stream"
    return open_websocket(url, compression=None, proxy=None, max_size=None, **options)


async def talk(connection: ClientConnection, *frames: str | bytes) -> list[dict[str, Any]]:
    """Send frames and return all that comes back until the connection is closed."""
    heard = []
    with contextlib.suppress(ConnectionClosed):
        for frame in frames:
            await connection.send(frame)
    with contextlib.suppress(ConnectionClosed):
        while True:
            heard.append(json.loads(await connection.recv()))
    return heard


async def test_a_session_from_start_to_close(running: Daemon) -> None:
    async with plain(running) as connection:
        frames: list[str | bytes] = [START, *pieces(AUDIO)]
        frames += ['{"type": "flush", "id": "f"}', '{"type": "stop"}']
        heard = await talk(connection, *frames)
        assert connection.close_code == 1000
        assert connection.close_reason == "stop"
    kinds = [message["type"] for message in heard if message["type"] != "partial"]
    assert kinds == ["ready", "speech_started", "final", "speech_ended", "flushed", "closed"]
    assert heard[-2]["id"] == "f"
    assert heard[-1]["reason"] == "stop"
    assert heard[0]["limits"]["message_bytes"] == 1_048_576


async def test_a_session_without_audio_is_legal(running: Daemon) -> None:
    async with plain(running) as connection:
        heard = await talk(connection, START, b"", '{"type": "stop"}')
    assert [message["type"] for message in heard] == ["ready", "closed"]
    assert heard[-1]["position"] == 0
    assert heard[-1]["rtf"] == 0


async def test_what_comes_after_stop_is_ignored(running: Daemon) -> None:
    async with plain(running) as connection:
        stop = '{"type": "stop"}'
        heard = await talk(connection, START, AUDIO, stop, AUDIO, "garbage", b"x")
    assert heard[-1]["type"] == "closed"
    assert heard[-1]["position"] == len(AUDIO) // 2


async def test_partials_and_words_can_be_left_out(running: Daemon) -> None:
    start = '{"type": "start", "vad": false, "partials": false, "words": false}'
    async with plain(running) as connection:
        heard = await talk(connection, start, AUDIO, '{"type": "stop"}')
    (final,) = [message for message in heard if message["type"] == "final"]
    assert final["words"] == []
    assert heard[-1]["words"] > 0
    assert not any(message["type"] == "partial" for message in heard)


async def test_endpoint_settings_of_the_client_win(running: Daemon) -> None:
    audio = pcm(np.concatenate([voice(1.0), silence(0.6), voice(1.0), silence(1.0)]))
    for endpoint_ms in (200, 900):
        transcript = await transcribe(running.url, pieces(audio), endpoint_ms=endpoint_ms)
        options = StreamOptions(endpoint_ms=endpoint_ms)
        wanted = [event for event in expected(audio, options) if hasattr(event, "reason")]
        assert list(transcript.finals) == wanted
    assert len(transcript.finals) == 1


async def test_endpoint_settings_of_the_operator_are_the_default() -> None:
    audio = pcm(np.concatenate([voice(1.0), silence(0.6), voice(1.0), silence(1.0)]))
    async with daemon(stream__endpoint_ms=900) as running:
        assert len((await transcribe(running.url, pieces(audio))).finals) == 1


FAULTS = [
    ("not_json", ["{"]),
    ("not_json", ['"start"']),
    ("unknown_type", ['{"type": "hello"}']),
    ("unsupported_version", ['{"type": "start", "version": 9}']),
    ("bad_field", ['{"type": "start", "sample_rate": -1}']),
    ("not_json", ['{"type": "start", "max_utterance_s": NaN}']),
    ("out_of_order", [AUDIO]),
    ("out_of_order", [b""]),
    ("out_of_order", ['{"type": "flush"}']),
    ("out_of_order", [START, AUDIO, START]),
    ("not_json", [START, AUDIO, "not json"]),
    ("bad_field", [START, '{"type": "flush", "id": {}}']),
    ("too_big", [START, bytes(1_048_577)]),
    ("too_big", [START, '{"type": "flush", "id": "' + "x" * 70_000 + '"}']),
    ("audio_format", [START, AUDIO + b"x", '{"type": "stop"}']),
    ("audio_format", ['{"type": "start", "encoding": "wav"}', AUDIO, '{"type": "stop"}']),
    ("audio_format", ['{"type": "start", "encoding": "wav"}', b"RIFF", '{"type": "stop"}']),
    (
        "audio_format",
        ['{"type": "start", "encoding": "f32le"}', np.full(9, np.nan, "<f4").tobytes()],
    ),
]


@pytest.mark.parametrize(("code", "frames"), FAULTS)
async def test_a_fault_is_one_error_and_hurts_nobody_else(
    running: Daemon, code: str, frames: list[str | bytes]
) -> None:
    async with connect(running.url, vad=False) as other:
        await other.send(AUDIO[:9600])
        async with plain(running) as connection:
            heard = await talk(connection, *frames)
            assert connection.close_code == ERRORS[code][0]
            assert connection.close_reason == code
        errors = [message for message in heard if message["type"] == "error"]
        assert errors == heard[-1:]
        assert errors[0]["code"] == code
        assert errors[0]["message"]
        assert errors[0]["remedy"]
        await other.send(AUDIO[9600:])
        await other.stop()
        assert settled([event async for event in other]) == expected(AUDIO, NO_GATE)


async def test_text_that_is_not_utf8_is_closed_with_1007(running: Daemon) -> None:
    async with plain(running) as connection:
        await connection.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1007


async def test_words_before_half_a_sample_are_still_told(running: Daemon) -> None:
    async with plain(running) as connection:
        heard = await talk(connection, START, AUDIO + b"x", '{"type": "stop"}')
    assert [m["type"] for m in heard if m["type"] != "partial"][1:] == [
        "speech_started",
        "final",
        "speech_ended",
        "error",
    ]


async def test_a_failure_of_ours_is_told_without_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(ScriptedEngine):
        def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
            if any(np.abs(samples).max() > 0 for _, samples in batch):
                raise RuntimeError("the secret of the house")
            return super().step(batch)

    async with daemon(Broken()) as running, plain(running) as connection:
        heard = await talk(connection, START, AUDIO)
        assert connection.close_code == 1011
    assert heard[-1]["code"] == "internal"
    assert "secret" not in json.dumps(heard)
    assert heard[0]["session"] in heard[-1]["remedy"]
    assert "the secret of the house" in caplog.text


async def test_a_client_that_vanishes_frees_its_place(running: Daemon) -> None:
    async with plain(running) as connection:
        await connection.send(START)
        await connection.send(AUDIO)
        await connection.recv()
        assert running.service.sessions == 1
        connection.transport.abort()
        await running.until(lambda: running.service.sessions == 0)
        await running.until(lambda: running.engine.open_slots == 0)


async def test_an_idle_session_ends_with_its_words() -> None:
    async with daemon(limits__idle_s=0.3) as running, plain(running) as connection:
        heard = await talk(connection, START, AUDIO)
        assert connection.close_code == 1000
    assert heard[-1]["reason"] == "idle"
    assert any(message["type"] == "final" for message in heard)


async def test_a_connection_that_never_starts_is_idle_too() -> None:
    async with daemon(limits__idle_s=0.2) as running, plain(running) as connection:
        (closed,) = await talk(connection)
    assert closed["type"] == "closed"
    assert closed["reason"] == "idle"


async def test_a_session_that_sends_is_not_idle() -> None:
    async with daemon(limits__idle_s=0.4) as running, connect(running.url) as client:
        for piece in pieces(pcm(silence(0.8))):
            await asyncio.sleep(0.1)
            await client.send(piece)
        assert (await client.stop()).reason == "stop"


async def test_a_session_at_its_limit_ends_with_its_words() -> None:
    async with daemon(limits__session_s=1) as running, plain(running) as connection:
        heard = await talk(connection, START, AUDIO)
    assert heard[-1]["reason"] == "session_limit"
    assert any(message["type"] == "final" for message in heard)


class Held(ScriptedEngine):
    """Steps only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
        assert self.gate.wait(20)
        return super().step(batch)


async def test_a_flood_waits_in_the_socket_and_nothing_is_lost() -> None:
    engine = Held()
    audio = pcm(tone(120.0))
    async with daemon(engine, limits__inbox_s=0.5) as running:
        engine.gate.clear()
        async with connect(running.url, vad=False) as client:
            flood = asyncio.create_task(_send_and_stop(client, audio))
            (session,) = running.service._sessions
            await running.until(lambda: session._is_waiting)
            bound = 16_000 + 3200 + 1000
            for _ in range(20):
                assert session._ears is not None
                assert session._ears.waiting <= bound
                await asyncio.sleep(0.005)
            assert not flood.done()
            engine.gate.set()
            await flood
            events = [event async for event in client]
    assert settled(events) == expected(audio, NO_GATE)


async def _send_and_stop(client: Any, audio: bytes) -> None:
    for piece in pieces(audio):
        await client.send(piece)
    await client.stop()


async def test_a_client_that_never_reads_is_cut_off_and_hurts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    flush = json.dumps({"type": "flush", "id": "x" * 200})
    few = daemon(limits__stall_s=0.5, limits__outbox_events=8, limits__inbox_s=0.1)
    async with few as running:
        deaf.setblocking(False)
        port = int(running.url.rpartition(":")[2])
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", port))
        async with plain(running, sock=deaf, max_queue=1) as connection:
            await connection.send(START)
            (session,) = running.service._sessions
            with pytest.raises(ConnectionClosed):
                await send_forever(connection, flush)
            # 51 marks fit into the inbox; beside them wait those of one read of the socket
            assert len(session._outbox) < 1000
            transcript = await transcribe(running.url, pieces(AUDIO), vad=False)
            assert list(transcript.finals) == [
                event for event in as_sent(expected(AUDIO, NO_GATE)) if hasattr(event, "reason")
            ]
        await running.until(lambda: running.service.sessions == 0)
    assert "does not read" in caplog.text


async def send_forever(connection: ClientConnection, frame: str) -> None:
    while True:
        await connection.send(frame)


async def test_a_slow_reader_gets_merged_partials_and_every_final() -> None:
    audio = pcm(np.concatenate([tone(2.0), silence(1.5)] * 8))
    few = daemon(limits__outbox_events=4)
    async with few as running, plain(running, max_queue=1) as connection:
        sending = asyncio.create_task(_stop_after(connection, audio))
        heard = []
        async for text in connection:
            heard.append(json.loads(text))
            await asyncio.sleep(0.002)
        await sending
    finals = [message["text"] for message in heard if message["type"] == "final"]
    wanted = [event.text for event in expected(audio, NO_GATE) if isinstance(event, Final)]
    assert finals == wanted
    assert len(finals) == 8


async def _stop_after(connection: ClientConnection, audio: bytes) -> None:
    await connection.send(START)
    for piece in pieces(audio):
        await connection.send(piece)
    await connection.send('{"type": "stop"}')


async def test_one_line_tells_of_a_session_and_not_what_was_said(
    running: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="streamasr"):
        transcript = await transcribe(running.url, pieces(AUDIO), vad=False)
        await running.until(lambda: running.service.sessions == 0)
    (line,) = [r.getMessage() for r in caplog.records if "ended" in r.getMessage()]
    assert "stop; 1.0 s heard" in line
    assert "1 utterances" in line
    assert "worst lag" in line
    assert transcript.finals[0].text not in caplog.text


@pytest.mark.parametrize("encoding", ["s24le", "s32le", "f32le", "mulaw", "alaw"])
async def test_every_encoding_comes_through(running: Daemon, encoding: str) -> None:
    width = {"s24le": 3, "s32le": 4, "f32le": 4, "mulaw": 1, "alaw": 1}[encoding]
    audio = tone(1.0).astype("<f4").tobytes() if encoding == "f32le" else bytes(16_000 * width)
    transcript = await transcribe(running.url, pieces(audio), encoding=encoding, vad=False)
    assert transcript.closed.position == 16_000


async def test_a_wav_file_comes_through(running: Daemon) -> None:
    import io
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(AUDIO)
    wav = file.getvalue()
    transcript = await transcribe(running.url, pieces(wav, 1001), encoding="wav", vad=False)
    wanted = [event for event in expected(AUDIO, NO_GATE) if hasattr(event, "reason")]
    assert list(transcript.finals) == wanted


async def test_other_rates_and_channels_come_through(running: Daemon) -> None:
    stereo = np.repeat(tone(1.0), 3 * 2)  # 48 kHz, two equal channels
    transcript = await transcribe(
        running.url, pieces(pcm(stereo), 9999), sample_rate=48_000, channels=2, vad=False
    )
    assert abs(transcript.closed.position - 16_000) < 100
    assert transcript.finals
