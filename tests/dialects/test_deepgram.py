"""Deepgram's own client against the daemon."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from streamasr.core.oggstream import OggPackets
from tests.dialects.conftest import Clip, Served, bare, blocks
from tests.edge.daemon import Daemon

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

LINEAR: dict[str, Any] = {"model": "nova-3", "encoding": "linear16", "sample_rate": 16_000}


def environment(http: str) -> DeepgramClientEnvironment:
    ws = http.replace("http", "ws", 1)
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


def transcript(messages: list[Any], channel: int = 0) -> str:
    """The text of the final results of a channel."""
    finals = [m for m in messages if m.type == "Results" and m.is_final]
    parts = [m.channel.alternatives[0].transcript for m in finals if m.channel_index[0] == channel]
    return " ".join(part for part in parts if part)


def listen(served: Served, options: dict[str, Any], talk: Callable[[Any], None]) -> list[Any]:
    """Open a connection with the sync client, talk, and return all messages until its end."""
    client = DeepgramClient(api_key="unused", environment=environment(served.http))
    messages: list[Any] = []
    with client.listen.v1.connect(**options) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        listener = threading.Thread(target=connection.start_listening)
        listener.start()
        talk(connection)
        connection.send_close_stream()
        listener.join(timeout=30)
    return messages


def test_the_sync_client_reads_the_words(served: Served, clip: Clip) -> None:
    def talk(connection: Any) -> None:
        connection.send_keep_alive()
        for block in blocks(clip.pcm(), 8000):
            connection.send_media(block)

    messages = listen(served, LINEAR, talk)
    clip.check(transcript(messages))
    assert [m.type for m in messages if m.type != "Results"] == ["Metadata"]
    assert all(m.is_final for m in messages if m.type == "Results")
    metadata = messages[-1]
    assert metadata.duration == pytest.approx(len(clip.samples) / 16_000)
    assert metadata.channels == 1
    assert len(metadata.sha256) == 64


async def test_the_async_client_reads_interim_results_and_events(
    served: Served, clip: Clip
) -> None:
    client = AsyncDeepgramClient(api_key="unused", environment=environment(served.http))
    options = LINEAR | {"interim_results": True, "vad_events": True, "punctuate": True}
    messages: list[Any] = []
    silence = bytes(32_000 * 2)
    async with client.listen.v1.connect(**options, utterance_end_ms=1000) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        reading = asyncio.create_task(connection.start_listening())
        for block in blocks(clip.pcm() + silence, 3200):
            await connection.send_media(block)
        await connection.send_close_stream()
        await reading
    clip.check(transcript(messages))
    kinds = [m.type for m in messages]
    assert kinds[0] == "SpeechStarted"
    assert "UtteranceEnd" in kinds
    assert any(m.type == "Results" and not m.is_final for m in messages)
    finals = [m for m in messages if m.type == "Results" and m.is_final]
    for before, after in pairwise(finals):
        assert after.start == pytest.approx(before.start + before.duration)
    words = [word for m in finals for word in m.channel.alternatives[0].words]
    assert all(w.start < w.end and bare(w.punctuated_word) == [w.word] for w in words)
    assert words[0].punctuated_word[0].isupper()
    assert transcript(messages).split() == [w.punctuated_word for w in words]
    ended = next(m for m in messages if m.type == "UtteranceEnd")
    assert any(w.end == pytest.approx(ended.last_word_end, abs=0.01) for w in words)
    assert not getattr(messages[-1], "warnings", None)


def test_finalize_flushes_and_says_so(served: Served, clip: Clip) -> None:
    half = clip.pcm()[: len(clip.pcm()) // 4 * 2]
    answered = threading.Event()

    def talk(connection: Any) -> None:
        def on_message(message: Any) -> None:
            if message.type == "Results" and message.from_finalize:
                answered.set()

        connection.on(EventType.MESSAGE, on_message)
        connection.send_media(half)
        connection.send_finalize()
        assert answered.wait(20)
        answered.clear()
        connection.send_finalize()
        assert answered.wait(20)

    options = LINEAR | {"endpointing": "false"}
    flushed = [m for m in listen(served, options, talk) if m.type == "Results"]
    assert [m.from_finalize for m in flushed][-2:] == [True, True]
    assert flushed[-2].channel.alternatives[0].transcript
    assert flushed[-1].channel.alternatives[0].transcript == ""


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "linear32", "wav", "48000", "ogg", "opus"])
def test_every_encoding_gives_the_words(served: Served, clip: Clip, encoding: str) -> None:
    options: dict[str, Any] = {"model": "nova-3"}
    if encoding in ("mulaw", "alaw"):
        options |= {"encoding": encoding, "sample_rate": 16_000}
        audio = clip.g711("ULAW" if encoding == "mulaw" else "ALAW")
    elif encoding == "linear32":
        options |= {"encoding": "linear32", "sample_rate": 16_000}
        audio = clip.samples.astype("<f4").tobytes()
    elif encoding == "48000":
        options |= {"encoding": "linear16", "sample_rate": 48_000}
        audio = np.repeat(np.frombuffer(clip.pcm(), "<i2"), 3).tobytes()
    elif encoding in ("ogg", "opus"):
        audio = clip.ogg()
    else:
        audio = clip.wav()
    messages = blocks(audio, 5000)
    if encoding == "opus":
        options |= {"encoding": "opus"}
        messages = OggPackets().accept(audio)[2:]

    def talk(connection: Any) -> None:
        for message in messages:
            connection.send_media(message)

    clip.check(transcript(listen(served, options, talk)))


def test_channels_are_told_apart(served: Served, clip: Clip) -> None:
    mono = np.frombuffer(clip.pcm(), "<i2")
    stereo = np.stack([np.zeros_like(mono), mono], axis=1).tobytes()

    def talk(connection: Any) -> None:
        for block in blocks(stereo, 10_001):
            connection.send_media(block)

    messages = listen(served, LINEAR | {"multichannel": True, "channels": 2}, talk)
    assert transcript(messages, 0) == ""
    clip.check(transcript(messages, 1))
    assert messages[-1].channels == 2


def test_a_configuration_is_refused_as_deepgram_would(served: Served) -> None:
    with connect(served.ws + "/v1/listen?encoding=mulaw", proxy=None) as socket:
        socket.send('{"type": "Configure", "keyterms": ["lord"]}')
        answer = json.loads(socket.recv(timeout=20))
        assert answer["type"] == "ConfigureFailure"
        assert answer["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"


@pytest.mark.parametrize(
    "query",
    [
        "encoding=linear16",
        "encoding=linear16&sample_rate=7",
        "encoding=linear16&sample_rate=99999999999999999999",
        "encoding=g729&sample_rate=8000",
        "diarize=true",
        "redact=pci",
        "language=de",
        "channels=0",
        "utterance_end_ms=1000",
        "utterance_end_ms=10&interim_results=true",
        "keywords=x:y",
        "endpointing=soon",
        "language=%0d%0aevil:1",
        "&".join(["a=b"] * 500),
    ],
)
def test_what_cannot_be_is_refused_as_deepgram_would(served: Served, query: str) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(f"{served.ws}/v1/listen?{query}", proxy=None),
    ):
        pass
    response = caught.value.response
    assert response.status_code == 400
    assert response.headers["dg-error"]
    assert set(json.loads(response.body or b"")) == {"err_code", "err_msg", "request_id"}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 1008),
        ("[]", 1008),
        ('{"type": "Hello"}', 1008),
        ('{"type": ["Finalize"]}', 1008),
        ('{"type": "Finalize", "channel": 9}', 1008),
        ("x" * 70_000, 1009),
        (b"not a wav file at all", 1008),
    ],
)
def test_what_makes_no_sense_is_an_error_and_a_close(
    served: Served, frame: str | bytes, code: int
) -> None:
    with connect(served.ws + "/v1/listen?model=nova-3", proxy=None) as socket:
        socket.send(frame)
        assert json.loads(socket.recv(timeout=20))["type"] == "Error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_the_key_is_a_token_of_ours(guarded: Daemon) -> None:
    def client(key: str) -> AsyncDeepgramClient:
        return AsyncDeepgramClient(api_key=key, environment=environment(guarded.http))

    async with client("right").listen.v1.connect(**LINEAR) as connection:
        await connection.send_close_stream()
        assert (await connection.recv()).type == "Metadata"
    with pytest.raises(ApiError) as caught:
        async with client("wrong").listen.v1.connect(**LINEAR):
            pass
    assert caught.value.status_code == 401


async def test_a_browser_gives_its_key_as_a_subprotocol(guarded: Daemon) -> None:
    from websockets.asyncio.client import connect as open_websocket

    url = guarded.url + "/v1/listen?encoding=mulaw"
    async with open_websocket(url, subprotocols=["token", "right"], proxy=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "token"
    with pytest.raises(InvalidStatus):
        async with open_websocket(url, subprotocols=["token", "wrong"], proxy=None):  # type: ignore[list-item]
            pass


@pytest.mark.slow
def test_the_javascript_client_reads_the_words(served: Served, clip: Clip, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    install = ["npm", "install", "--no-audit", "--no-fund", "@deepgram/sdk@5", "ws"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("npm cannot install @deepgram/sdk")
    (tmp_path / "clip.pcm").write_bytes(clip.pcm())
    script = Path(__file__).with_name("deepgram_client.mjs")
    shutil.copy(script, tmp_path / script.name)
    result = subprocess.run(
        ["node", script.name, served.http], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert result.returncode == 0, result.stderr
    clip.check(result.stdout.strip())


@pytest.mark.parametrize(
    ("container", "codec"), [("webm", "libopus"), ("flac", "flac"), ("mp3", "libmp3lame")]
)
def test_files_of_browsers_and_others_need_no_encoding(
    served: Served, clip: Clip, container: str, codec: str
) -> None:
    data = clip.media(container, codec)

    def talk(connection: Any) -> None:
        for block in blocks(data, 700):
            connection.send_media(block)

    messages = listen(served, {"model": "nova-3"}, talk)
    clip.check(transcript(messages))
