"""Reloads within one process: what new sessions get, what open ones keep."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamasr.core.recognizer import Engine
from streamasr.edge.client import connect, transcribe
from streamasr.edge.generation import Reloader, engine_key, pin
from streamasr.edge.settings import Settings
from streamasr.errors import BundleError, ConfigError, PeerError, StreamasrError, UsageError
from tests.edge.daemon import Daemon, daemon, pcm, settings_of
from tests.fakes import ScriptedEngine, tone

AUDIO = pcm(tone(1.0))


class Engines:
    """Opens an engine for each model; remembers those that it opened."""

    def __init__(self) -> None:
        self.opened: list[ScriptedEngine] = []

    def __call__(self, settings: Settings) -> Engine:
        if settings.server.model == "broken":
            raise BundleError("no such model")
        self.opened.append(ScriptedEngine(capacity=8))
        return self.opened[-1]


@asynccontextmanager
async def reloadable(**flags: Any) -> AsyncIterator[tuple[Daemon, Reloader, Engines]]:
    engines = Engines()
    async with daemon(**flags) as running:
        reloader = Reloader(running.service, engines)
        first = running.service.current
        try:
            yield running, reloader, engines
        finally:
            await running.until(lambda: running.service.sessions == 0)
            await reloader.close()
            if running.service.worker is not first.worker:
                await running.service.worker.stop()
    assert all(engine.open_slots == 0 for engine in engines.opened)


async def change(running: Daemon, reloader: Reloader, **flags: Any) -> None:
    used = running.service.settings
    wanted = settings_of(**{"server__port": used.server.port} | flags)
    reloader.adopt(await reloader.prepare(wanted))


async def test_limits_and_tokens_change_without_another_engine(tmp_path: Path) -> None:
    async with reloadable() as (running, reloader, engines):
        async with connect(running.url) as old:
            file = tmp_path / "tokens"
            file.write_text("one\n")
            file.chmod(0o600)
            flags = {"server__token_file": str(file), "limits__idle_s": 77.0}
            await change(running, reloader, **flags)
            with pytest.raises(UsageError, match="token"):
                async with connect(running.url):
                    pass
            async with connect(running.url, token="one") as new:
                assert new.ready.limits.idle_s == 77
            file.write_text("two\n")
            await change(running, reloader, **flags)
            async with connect(running.url, token="two"):
                pass
            assert old.ready.limits.idle_s == 300
            await old.send(AUDIO)
            assert (await old.stop()).reason == "stop"
        assert not engines.opened
        assert running.service.worker is running.worker


async def test_open_sessions_keep_their_engine_until_the_last_is_over() -> None:
    async with reloadable() as (running, reloader, engines):
        async with connect(running.url, vad=False) as old:
            await old.send(AUDIO[:16_000])
            await change(running, reloader, limits__sessions=9)
            assert running.service.worker is not running.worker
            assert len(engines.opened) == 1
            before = len(running.engine.batches)
            transcript = await transcribe(running.url, [AUDIO], vad=False)
            assert transcript.finals
            assert engines.opened[0].batches
            await old.send(AUDIO[16_000:])
            closed = await old.stop()
            assert closed.audio_s == 1.0
            assert len(running.engine.batches) > before
        await running.until(lambda: not running.worker.is_ready)
        lane: Any = (None, None, lambda delivery: None)
        with pytest.raises(StreamasrError, match="replaced"):
            running.worker.lane(*lane)


@pytest.mark.parametrize(
    "flags", [{"server__model": "broken"}, {"server__token_file": "/nowhere"}], ids=str
)
async def test_what_is_broken_is_refused_and_all_stays(flags: dict[str, str]) -> None:
    async with reloadable() as (running, reloader, engines):
        before = running.service.current
        with pytest.raises(StreamasrError, match=r"no such model|nowhere"):
            await change(running, reloader, **flags)
        assert running.service.current is before
        assert not engines.opened
        assert (await transcribe(running.url, [AUDIO], vad=False)).finals


async def test_what_was_prepared_can_be_discarded() -> None:
    async with reloadable() as (running, reloader, engines):
        successor = await reloader.prepare(settings_of(limits__sessions=9))
        await reloader.discard(successor)
        assert len(engines.opened) == 1
        assert running.service.worker is running.worker
        assert (await transcribe(running.url, [AUDIO], vad=False)).finals


async def test_an_old_engine_that_fails_takes_its_own_sessions_alone() -> None:
    class Dying(ScriptedEngine):
        def close(self, slot: int) -> None:
            super().close(slot)
            if len(self.batches) > 3:  # not while it warms up
                raise RuntimeError("slot table damaged")

    async with (
        reloadable(engine=Dying(capacity=8)) as (running, reloader, _),
        connect(running.url, vad=False) as one,
        connect(running.url, vad=False) as two,
    ):
        await change(running, reloader, limits__sessions=9)
        async with connect(running.url, vad=False) as young:
            await one.send(AUDIO)
            with pytest.raises(PeerError, match="the engine failed"):
                await one.stop()
            with pytest.raises(PeerError, match="the engine failed"):
                async for _ in two:
                    pass
            await young.send(AUDIO)
            assert (await young.stop()).reason == "stop"


def test_only_what_an_engine_depends_on_makes_another() -> None:
    key = engine_key(settings_of())
    assert engine_key(settings_of(limits__idle_s=1.0)) == key
    for flags in ({"server__decoder": "greedy"}, {"server__threads": 2}, {"server__model": "x"}):
        assert engine_key(settings_of(**flags)) != key


def test_a_model_that_was_replaced_makes_another(plain_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    facts = (plain_bundle / "bundle.toml").read_text()
    (folder / "bundle.toml").write_text(facts)
    before = engine_key(settings_of(server__model=str(folder)))
    (folder / "bundle.toml").write_text(facts.replace('name = "', 'name = "new-'))
    assert engine_key(settings_of(server__model=str(folder))) != before


def test_what_takes_a_restart_stays_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    asked = settings_of()
    used = settings_of(server__port=4711)
    wanted = settings_of(server__port=0, server__workers=3, limits__idle_s=5.0)
    with caplog.at_level(logging.WARNING):
        pinned = pin(asked, used, wanted)
    assert (pinned.server.port, pinned.server.workers) == (4711, 1)
    assert pinned.limits.idle_s == 5
    assert "server.workers = 3 takes a restart" in caplog.text
    assert "server.port" not in caplog.text


def test_tokens_cannot_be_given_up_where_others_come_in() -> None:
    asked = settings_of(server__host="0.0.0.0", server__insecure=True)
    with pytest.raises(ConfigError, match="no tokens are set"):
        pin(asked, asked, settings_of())
