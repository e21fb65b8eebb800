"""What can befall an upload; that it becomes text stands in tests/dialects."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
import soundfile

from streamasr.edge import uploads
from tests.edge.daemon import Daemon, daemon
from tests.edge.test_session import Held
from tests.fakes import voice


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice(seconds, 1), 16_000, format="WAV")
    return file.getvalue()


def post(http: httpx.AsyncClient, **fields: str) -> asyncio.Task[httpx.Response]:
    files = {"file": ("a.wav", wav(60.0))}
    data = {"model": "whisper-1", **fields}
    return asyncio.create_task(http.post(uploads.FILES_PATH, files=files, data=data, timeout=20))


@pytest.fixture
async def held() -> AsyncIterator[tuple[Daemon, httpx.AsyncClient]]:
    """A daemon whose engine does not answer, so that an upload stays open."""
    engine = Held()
    async with daemon(engine, limits__drain_s=0.3) as running:
        engine.gate.clear()
        async with httpx.AsyncClient(base_url=running.http, trust_env=False) as http:
            yield running, http
        engine.gate.set()


async def test_a_client_that_leaves_frees_its_place(
    held: tuple[Daemon, httpx.AsyncClient],
) -> None:
    running, http = held
    posting = post(http)
    await running.until(lambda: running.service.sessions == 1)
    posting.cancel()
    await asyncio.wait([posting])
    await running.until(lambda: running.service.sessions == 0)


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_an_upload_that_is_cut_is_an_error(
    held: tuple[Daemon, httpx.AsyncClient], stream: str
) -> None:
    running, http = held
    posting = post(http, stream=stream)
    await running.until(lambda: any(s._ears and s._ears.waiting for s in running.service._sessions))
    assert await running.service.drain() == 1
    answer = await posting
    if stream == "true":
        assert "transcript.text.done" not in answer.text
    else:
        assert answer.status_code == 503
        assert answer.json()["error"]["type"] == "server_error"


async def test_a_file_is_heard_to_its_end_while_the_daemon_drains() -> None:
    engine = Held()
    async with (
        daemon(engine, limits__inbox_s=0.5) as running,
        httpx.AsyncClient(base_url=running.http, trust_env=False) as http,
    ):
        engine.gate.clear()
        posting = post(http, response_format="verbose_json")
        await running.until(lambda: any(s._is_waiting for s in running.service._sessions))
        draining = asyncio.create_task(running.service.drain())
        await asyncio.sleep(0.1)
        engine.gate.set()
        assert await draining == 0
        answer = await posting
        assert (answer.status_code, answer.json()["duration"]) == (200, 60.0)


async def test_there_are_only_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_UPLOADS", 0)
    async with (
        daemon() as running,
        httpx.AsyncClient(base_url=running.http, trust_env=False) as http,
    ):
        assert (await post(http)).status_code == 503


async def test_a_file_that_cannot_be_read_on_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str, stack: object) -> object:
        def blocks() -> object:
            yield np.zeros(1600, np.float32)
            raise OSError("the disk is gone")

        return blocks()

    monkeypatch.setattr(uploads, "_open", broken)
    async with (
        daemon() as running,
        httpx.AsyncClient(base_url=running.http, trust_env=False) as http,
    ):
        assert (await post(http)).status_code == 500
        await running.until(lambda: running.service.sessions == 0)
