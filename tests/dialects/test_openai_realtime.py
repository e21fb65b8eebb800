"""OpenAI's realtime client against the daemon, and NVIDIA's, which speaks the beta dialect."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import venv
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from openai import AsyncOpenAI, OpenAI
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.dialects.conftest import Clip, Served, bare, blocks
from tests.edge.daemon import Daemon

# the client opens its websocket in a way that the library has since come to dislike
pytestmark = pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")

COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"
INTENT = {"intent": "transcription"}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pcm_24k(clip: Clip) -> bytes:
    """The clip as OpenAI wants it: 24 kHz s16le."""
    import soxr

    samples = soxr.resample(clip.samples, 16_000, 24_000)
    return np.round(samples * 32767).clip(-32768, 32767).astype("<i2").tobytes()


def ga(**audio: Any) -> dict[str, Any]:
    return {"type": "transcription", "audio": {"input": audio}}


async def test_turns_are_detected_and_told_in_order(served: Served, clip: Clip) -> None:
    client = AsyncOpenAI(
        base_url=served.http + "/v1", websocket_base_url=served.ws + "/v1", api_key="unused"
    )
    events: list[Any] = []
    async with client.realtime.connect(extra_query=INTENT) as connection:
        created = await connection.recv()
        assert created.type == "session.created"
        config = ga(turn_detection={"type": "server_vad", "silence_duration_ms": 300})
        await connection.session.update(session=config)  # type: ignore[arg-type]
        updated = await connection.recv()
        assert updated.type == "session.updated"
        for block in blocks(pcm_24k(clip) + bytes(48_000), 9600):
            await connection.input_audio_buffer.append(audio=base64_of(block))
        heard = ""
        async with asyncio.timeout(20):
            while len(heard.split()) < len(clip.text.split()):
                events.append(await connection.recv())
                if events[-1].type == COMPLETED:
                    heard += " " + events[-1].transcript
    clip.check(heard)
    first = [event for event in events if getattr(event, "item_id", "").endswith("_0")]
    kinds = [event.type for event in first]
    assert kinds[0] == "input_audio_buffer.speech_started"
    assert DELTA in kinds
    assert kinds[-3:] == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        COMPLETED,
    ]
    deltas = "".join(event.delta for event in first if event.type == DELTA)
    assert bare(first[-1].transcript)[: len(deltas.split())] == deltas.split()
    assert first[-1].transcript[0].isupper()
    added = next(event for event in events if event.type == "conversation.item.added")
    assert added.item.id == first[0].item_id


def test_the_sync_client_commits_its_own_turns(served: Served, clip: Clip) -> None:
    client = OpenAI(
        base_url=served.http + "/v1", websocket_base_url=served.ws + "/v1", api_key="unused"
    )
    with client.realtime.connect(extra_query=INTENT) as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session=ga(turn_detection=None))  # type: ignore[arg-type]
        assert connection.recv().type == "session.updated"
        for _ in range(2):
            for block in blocks(pcm_24k(clip), 48_000):
                connection.input_audio_buffer.append(audio=base64_of(block))
            connection.input_audio_buffer.commit()
            kinds: list[str] = []
            while not kinds or kinds[-1] != COMPLETED:
                event = connection.recv()
                kinds.append(event.type)
            assert "input_audio_buffer.speech_started" not in kinds
            assert kinds.index("input_audio_buffer.committed") < kinds.index(COMPLETED)
            clip.check(event.transcript)  # type: ignore[union-attr]
        connection.input_audio_buffer.append(audio=base64_of(pcm_24k(clip)))
        connection.input_audio_buffer.clear()
        while connection.recv().type != "input_audio_buffer.cleared":
            pass
        connection.input_audio_buffer.commit()
        error = connection.recv()
        assert error.type == "error"
        assert error.error.code == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize("name", ["g711_ulaw", "g711_alaw", "pcm16"])
def test_the_beta_dialect(served: Served, clip: Clip, name: str) -> None:
    audio = pcm_24k(clip) if name == "pcm16" else clip.g711(name[5:].upper())
    with connect(
        served.ws + "/v1/realtime?intent=transcription",
        additional_headers={"OpenAI-Beta": "realtime=v1"},
        proxy=None,
    ) as socket:
        assert hear(socket)["type"] == "transcription_session.created"
        session = {"input_audio_format": name, "turn_detection": None}
        if name != "pcm16":
            session["input_audio_params"] = {"sample_rate_hz": 16_000}
        say(socket, "transcription_session.update", session=session)
        updated = hear(socket)
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"]["input_audio_format"] == name
        for block in blocks(audio, 20_000):
            say(socket, "input_audio_buffer.append", audio=base64_of(block))
        say(socket, "input_audio_buffer.commit")
        kinds = []
        while (event := hear(socket))["type"] != COMPLETED:
            kinds.append(event["type"])
        assert "conversation.item.created" in kinds
        clip.check(event["transcript"])


def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def hear(socket: ClientConnection) -> dict[str, Any]:
    event = json.loads(socket.recv(timeout=20))
    assert isinstance(event, dict)
    return event


@pytest.mark.parametrize(
    ("frame", "param"),
    [
        ("{", None),
        ("[]", None),
        (b"\0\0", None),
        ("{}", "type"),
        ('{"type": "response.create"}', "type"),
        ('{"type": "input_audio_buffer.append", "audio": 7}', "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "*"}', "audio"),
        ('{"type": "session.update"}', "session"),
        ('{"type": "session.update", "session": {"type": "realtime"}}', "session.type"),
        (
            '{"type": "session.update", "session": {"audio": {"input": '
            '{"turn_detection": {"type": "semantic_vad"}}}}}',
            "session.audio.input.turn_detection.type",
        ),
        (
            '{"type": "session.update", "session": {"audio": {"input": '
            '{"noise_reduction": {"type": "near_field"}}}}}',
            "session.audio.input.noise_reduction",
        ),
        (
            '{"type": "session.update", "session": {"audio": {"input": '
            '{"transcription": {"model": "whisper-1", "language": "de"}}}}}',
            "session.audio.input.transcription.language",
        ),
    ],
)
def test_a_mistake_is_an_error_and_the_session_goes_on(
    served: Served, frame: str | bytes, param: str | None
) -> None:
    with connect(served.ws + "/v1/realtime", proxy=None) as socket:
        hear(socket)
        socket.send(frame)
        event = hear(socket)
        assert event["type"] == "error"
        assert event["error"]["type"] == "invalid_request_error"
        assert event["error"]["param"] == param
        say(socket, "input_audio_buffer.clear")
        assert hear(socket)["type"] == "input_audio_buffer.cleared"


async def test_a_secret_opens_the_door_for_a_page(guarded: Daemon) -> None:
    async with AsyncOpenAI(base_url=guarded.http + "/v1", api_key="right") as client:
        session: Any = {"type": "transcription"}
        secret = await client.realtime.client_secrets.create(session=session)
    assert secret.value.startswith("ek_")
    url = guarded.url + "/v1/realtime"
    for protocols in (
        ["realtime", f"openai-insecure-api-key.{secret.value}"],
        ["realtime", f"realtime-token.{secret.value}"],
    ):
        async with open_websocket(url, subprotocols=protocols, proxy=None) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "realtime"
            await socket.recv()
    wrong: Any = ["realtime", "openai-insecure-api-key.ek_9999999999_" + "0" * 64]
    with pytest.raises(InvalidStatus):
        async with open_websocket(url, subprotocols=wrong, proxy=None):
            pass
    async with httpx.AsyncClient(base_url=guarded.http) as http:
        begotten = {"authorization": f"Bearer {secret.value}"}
        for path in ("client_secrets", "transcription_sessions"):
            assert (await http.post(f"/v1/realtime/{path}")).status_code == 401
            answer = await http.post(f"/v1/realtime/{path}", headers=begotten)
            assert answer.status_code == 401
            bad = await http.post(
                f"/v1/realtime/{path}", headers={"authorization": "Bearer right"}, content=b"["
            )
            assert bad.status_code == 400


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_client_of_nvidia_reads_the_words(served: Served, clip: Clip, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "nvidia-riva-client>=2.27,<3", "requests"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("nvidia-riva-client cannot be installed")
    (tmp_path / "clip.wav").write_bytes(clip.wav())
    script = Path(__file__).with_name("riva_client.py")
    result = subprocess.run(
        [str(python), str(script), f"127.0.0.1:{served.port}", str(tmp_path / "clip.wav")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    clip.check(result.stdout.strip())
