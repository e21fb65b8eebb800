"""A daemon for tests: uvicorn on a free port of this machine, in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.routing import Route

from streamasr.core.audio import AudioDoor
from streamasr.core.events import Event, Partial
from streamasr.core.options import StreamOptions
from streamasr.core.protocol import decode_server, encode
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge.capacity import Calibration
from streamasr.edge.lane import Samples
from streamasr.edge.listening import listen
from streamasr.edge.metrics import Meters
from streamasr.edge.service import Service, create_app
from streamasr.edge.settings import Settings, load
from streamasr.edge.webserver import Server
from streamasr.edge.worker import EngineThread, IdleWork
from tests.fakes import ScriptedEngine


@dataclass
class Daemon:
    url: str
    engine: ScriptedEngine
    worker: EngineThread
    service: Service

    @property
    def http(self) -> str:
        return self.url.replace("ws", "http", 1)

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait for something that other tasks bring about without telling us."""
        async with asyncio.timeout(10):
            while not is_true():  # noqa: ASYNC110  nobody sets an event for us
                await asyncio.sleep(0.005)


@asynccontextmanager
async def daemon(
    engine: ScriptedEngine | None = None,
    *,
    open_engine: Callable[[], Engine] | None = None,
    is_loaded: bool = True,
    pages: Sequence[Route] = (),
    idle_work: IdleWork | None = None,
    capacity: Calibration | None = None,
    **flags: Any,
) -> AsyncIterator[Daemon]:
    """Serve until the block ends; flags are settings such as ``limits__idle_s=1``.

    At the end nothing may be left: no session, no slot, no task.
    """
    before = asyncio.all_tasks()
    settings = settings_of(**flags)
    engine = engine or ScriptedEngine(capacity=64)
    meters = Meters()
    opener = open_engine or (lambda: engine)
    worker = EngineThread(opener, observer=meters, idle_work=idle_work)
    app = create_app(worker, settings, pages, meters=meters, capacity=capacity)
    server = Server(app, settings)
    with listen(settings) as sock:
        port = sock.getsockname()[1]
        serving = asyncio.create_task(server.serve([sock]), name="server")
        try:
            if is_loaded:
                await worker.start()
            running = Daemon(f"ws://127.0.0.1:{port}", engine, worker, app.state.service)
            yield running
            await running.until(lambda: running.service.sessions == 0)
        finally:
            server.stop()
            await serving
            await worker.stop()
    assert engine.open_slots == 0
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    left.discard(asyncio.current_task())
    assert not left, f"tasks were left behind: {left}"


def settings_of(**flags: Any) -> Settings:
    named = {name.replace("__", "."): value for name, value in flags.items()}
    return load(flags={"server.port": 0, **named})


def pcm(samples: Samples) -> bytes:
    """float32 [n] -> s16le."""
    return np.asarray(samples * 32767, "<i2").tobytes()


def expected(audio: bytes, options: StreamOptions | None = None) -> list[Event]:
    """What the core says to s16le audio at 16 kHz, as it is sent, without partials."""
    with Recognizer(ScriptedEngine()).stream(options) as stream:
        events = stream.accept(AudioDoor("s16le", 16_000).accept(audio)) + stream.finish()
    return as_sent(events)


def settled(events: list[Event]) -> list[Event]:
    """Events without partials, which may have been merged on their way."""
    return [event for event in events if not isinstance(event, Partial)]


def as_sent(events: list[Event]) -> list[Event]:
    """Settled events as they arrive: numbers are rounded on the wire."""
    return [decode_server(encode(event)) for event in settled(events)]  # type: ignore[misc]


def pieces(audio: bytes, size: int = 3200) -> list[bytes]:
    return [audio[start : start + size] for start in range(0, len(audio), size)]
