"""Deepgram's own client against the daemon: files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError

from tests.conftest import DATA
from tests.dialects.conftest import CLIP, Clip, Served, bare
from tests.dialects.test_deepgram import environment
from tests.edge.daemon import daemon

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")


@pytest.fixture
def media(served: Served) -> Iterator[Any]:
    with httpx.Client(timeout=60) as http:
        there = environment(served.http)
        client = DeepgramClient(api_key="unused", environment=there, httpx_client=http)
        yield client.listen.v1.media


def test_a_file_becomes_text_with_words_and_utterances(media: Any, clip: Clip) -> None:
    data = (DATA / CLIP).read_bytes()
    heard = media.transcribe_file(request=data, model="nova-3", utterances=True, smart_format=True)
    (channel,) = heard.results.channels
    (best,) = channel.alternatives
    clip.check(best.transcript)
    assert [word.punctuated_word for word in best.words] == best.transcript.split()
    assert best.transcript[0].isupper()
    assert best.transcript.endswith(".")
    assert all(w.start < w.end and bare(w.punctuated_word) == [w.word] for w in best.words)
    assert 0 < best.confidence <= 1
    said = heard.results.utterances
    assert " ".join(each.transcript for each in said) == best.transcript
    assert [word.word for each in said for word in each.words] == bare(best.transcript)
    assert all(each.start < each.end for each in said)
    assert heard.metadata.duration == pytest.approx(len(clip.samples) / 16_000, abs=0.01)
    assert heard.metadata.sha256 == hashlib.sha256(data).hexdigest()
    assert heard.metadata.channels == 1
    (warning,) = heard.metadata.warnings  # type: ignore[attr-defined]
    assert warning["parameter"] == "smart_format"


async def test_the_async_client_and_audio_without_a_header(served: Served, clip: Clip) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        there = environment(served.http)
        client = AsyncDeepgramClient(api_key="unused", environment=there, httpx_client=http)
        heard = await client.listen.v1.media.transcribe_file(
            request=clip.pcm(24_000),
            encoding="linear16",
            request_options={"additional_query_parameters": {"sample_rate": 24_000}},
        )
    clip.check(heard.results.channels[0].alternatives[0].transcript)  # type: ignore[union-attr,index,arg-type]
    assert heard.results.utterances is None  # type: ignore[union-attr]


def test_silence_is_an_empty_transcript(media: Any) -> None:
    heard = media.transcribe_file(request=Clip("", np.zeros(8000, np.float32)).wav())
    (best,) = heard.results.channels[0].alternatives
    assert (best.transcript, best.words) == ("", [])


@pytest.mark.parametrize(
    ("body", "options", "said"),
    [
        (b"no audio at all", {}, "holds no audio"),
        (b"", {}, "failed to process audio"),
        (b"abc", {"diarize": True}, "diarize"),
        (b"abc", {"encoding": "opus"}, "container"),
        (b"abc", {"encoding": "speex"}, "encoding"),
        (b"abc", {"language": "de"}, "language"),
    ],
)
def test_what_cannot_be_done_is_400(media: Any, body: bytes, options: Any, said: str) -> None:
    with pytest.raises(ApiError) as refused:
        media.transcribe_file(request=body, **options)
    assert refused.value.status_code == 400
    assert said in refused.value.body["err_msg"]
    assert refused.value.body["request_id"]


def test_nothing_is_fetched_from_elsewhere(media: Any) -> None:
    with pytest.raises(ApiError) as refused:
        media.transcribe_url(url="http://127.0.0.1:1/secret")
    assert refused.value.status_code == 400
    assert "send the file" in refused.value.body["err_msg"]


async def test_the_door_is_that_of_all_others(tmp_path: Any, clip: Clip) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret\n")
    async with (
        daemon(server__token_file=str(tokens), limits__sessions=1) as running,
        httpx.AsyncClient() as client,
    ):
        url = running.url.replace("ws", "http", 1) + "/v1/listen"
        stranger = await client.post(url, content=clip.wav())
        assert stranger.status_code == 401
        assert stranger.json()["err_code"] == "INVALID_AUTH"
        friend = {"authorization": "Token secret"}
        heard = await client.post(url, content=clip.wav(), headers=friend, timeout=60)
        assert heard.status_code == 200
        assert heard.json()["metadata"]["request_id"] == heard.headers["dg-request-id"]
        assert running.service.sessions == 0
        got = await client.get(url, headers=friend)  # a websocket, by GET
        assert got.status_code == 426


async def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamasr.edge.prerecorded.MOST_BYTES", 1000)
    async with daemon() as running, httpx.AsyncClient() as client:
        url = running.url.replace("ws", "http", 1) + "/v1/listen"
        refused = await client.post(url, content=bytes(1001))
        assert refused.status_code == 413
