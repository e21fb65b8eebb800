"""OpenAI's own client against the daemon: files and models."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from openai import (
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OpenAI,
)

from tests.conftest import DATA
from tests.dialects.conftest import CLIP, Clip, Served, bare
from tests.edge.daemon import Daemon


@pytest.fixture
def client(served: Served) -> OpenAI:
    return OpenAI(base_url=served.http + "/v1", api_key="unused", max_retries=0)


def test_a_file_becomes_text(client: OpenAI, clip: Clip) -> None:
    with (DATA / CLIP).open("rb") as file:
        heard = client.audio.transcriptions.create(model="whisper-1", file=file)
    clip.check(heard.text)
    assert heard.usage is not None
    assert heard.usage.type == "duration"
    assert heard.usage.seconds == 5


def test_verbose_json_has_segments_and_words(client: OpenAI, clip: Clip) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-1",
        file=("talk.wav", clip.wav()),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
    )
    clip.check(heard.text)
    assert heard.duration == pytest.approx(len(clip.samples) / 16_000, abs=0.01)
    assert heard.segments is not None
    assert heard.words is not None
    assert " ".join(segment.text for segment in heard.segments) == heard.text
    assert [word.word for word in heard.words] == bare(heard.text)
    assert heard.text[0].isupper()
    assert heard.text.endswith(".")
    assert all(word.start < word.end for word in heard.words)


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_the_other_formats(client: OpenAI, clip: Clip, form: Any) -> None:
    heard = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("talk.wav", clip.wav()), response_format=form
    )
    if form == "text":
        clip.check(str(heard))
    else:
        assert str(heard).startswith("WEBVTT" if form == "vtt" else "1\n00:00:0")
        said = [line for line in str(heard).splitlines() if line[:1].isalpha()]
        clip.check(" ".join(line for line in said if line != "WEBVTT"))


def test_a_stream_gives_each_utterance_as_it_ends(client: OpenAI, clip: Clip) -> None:
    stream = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("talk.wav", clip.wav()), stream=True
    )
    events = list(stream)
    assert [event.type for event in events[-2:]] == [
        "transcript.text.delta",
        "transcript.text.done",
    ]
    deltas = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].type == "transcript.text.done"
    assert deltas == events[-1].text
    clip.check(deltas)


async def test_the_async_client_reads_the_words(served: Served, clip: Clip) -> None:
    async with AsyncOpenAI(base_url=served.http + "/v1", api_key="unused") as client:
        heard = await asyncio.gather(
            *(
                client.audio.transcriptions.create(model="whisper-1", file=("a.wav", clip.wav()))
                for _ in range(3)
            )
        )
    assert len({item.text for item in heard}) == 1
    clip.check(heard[0].text)


def test_what_has_no_effect_is_named(client: OpenAI, clip: Clip) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=("a.wav", clip.wav()), prompt="Names.", temperature=0.3
    )
    assert raw.headers["x-streamasr-ignored"] == "prompt, temperature"


def test_models_are_listed(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "en-small"
    assert client.models.retrieve("en-small").owned_by == "streamasr"
    with pytest.raises(NotFoundError):
        client.models.retrieve("large")


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"language": "de"}, "language"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"include": ["logprobs"]}, "include"),
        ({"file": ("x.wav", b"not audio")}, "file"),
        ({"file": ("x.wav", b"")}, "file"),
        ({"file": ("x.m3u8", b"#EXTM3U\nfile:///etc/passwd\n")}, "file"),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_as_openai_would(
    client: OpenAI, clip: Clip, options: dict[str, Any], param: str
) -> None:
    request: dict[str, Any] = {"model": "whisper-1", "file": ("a.wav", clip.wav())}
    with pytest.raises(BadRequestError) as caught:
        client.audio.transcriptions.create(**(request | options))
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param == param


def test_a_truncated_file_is_an_error_in_its_form(client: OpenAI, clip: Clip) -> None:
    cut = ("a.wav", clip.wav()[:60_000])
    with pytest.raises(BadRequestError, match="truncated"):
        client.audio.transcriptions.create(model="whisper-1", file=cut)


def test_a_model_that_is_not_here_does_not_exist(client: OpenAI, clip: Clip) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.audio.transcriptions.create(model="parakeet", file=("a.wav", clip.wav()))
    assert caught.value.code == "model_not_found"


def test_a_file_that_is_too_long_is_refused(client: OpenAI) -> None:
    with pytest.raises(APIStatusError) as caught:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", bytes(26 << 20)))
    assert caught.value.status_code == 413


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
    ],
)
def test_a_form_that_makes_no_sense_is_an_error(served: Served, kind: str, body: bytes) -> None:
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n"
    head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port)) as raw:
        raw.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    status, _, rest = answer.partition(b"\r\n")
    assert status.split()[1] in (b"400", b"415")
    assert json.loads(rest.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


async def test_the_key_is_a_token_of_ours(guarded: Daemon, clip: Clip) -> None:
    url = guarded.http + "/v1"
    async with AsyncOpenAI(base_url=url, api_key="right", max_retries=0) as client:
        await client.models.list()
        await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", clip.wav()))
    async with AsyncOpenAI(base_url=url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.models.list()
        with pytest.raises(AuthenticationError):
            await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", clip.wav()))
