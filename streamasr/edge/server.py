"""The life of the daemon: listen, load, serve, drain, leave.

    code = run(settings, open_engine)     # 0 drained, 1 failed

Stopping is a sentence. The first SIGTERM or SIGINT: refuse new sessions, finish the open
utterances, send finals and ``closed``, wait at most ``limits.drain_s``, then cut what is
left. A second signal cuts at once. The process exits with 0 if nobody was cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streamasr.core.recognizer import Engine
from streamasr.edge.capacity import Calibration
from streamasr.edge.listening import listen
from streamasr.edge.metrics import Meters
from streamasr.edge.notify import notify
from streamasr.edge.pages import DEMO_PATH
from streamasr.edge.service import ABORT, STREAM_PATH, Service, create_app
from streamasr.edge.settings import Settings
from streamasr.edge.supervisor import Link
from streamasr.edge.worker import EngineThread
from streamasr.edge.wyoming import wyoming
from streamasr.errors import ConfigError, StreamasrError, UsageError

__all__ = ["Server", "create_app", "listen", "run"]

log = logging.getLogger(__name__)

PING_INTERVAL_S = 20.0
"""Keeps the paths through routers open; a late answer is no reason to hang up."""
GOODBYE_S = 2
"""Left for closing handshakes once all sessions are over."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket, with a way to drop a connection whose peer does not read."""

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[ABORT] = self.transport.abort
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # it was refused: uvicorn logs that as our mistake


class Server(uvicorn.Server):
    """uvicorn's server, stopped by us: no signal handlers of its own, no clock ticks."""

    def __init__(self, app: Starlette, settings: Settings) -> None:
        server = settings.server
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws=WebSocketProtocol,
                ws_max_size=2 * settings.limits.message_bytes,
                ws_ping_interval=PING_INTERVAL_S,
                ws_ping_timeout=None,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GOODBYE_S,
                ssl_certfile=server.tls_cert or None,
                ssl_keyfile=server.tls_key or None,
            )
        )
        # at lower levels these log the request's query, and with it the token
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self.config.load()
        self._stop = asyncio.Event()
        self.listens = asyncio.Event()
        """Set once connections are accepted."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def main_loop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Stop listening and close what connections are left."""
        self._stop.set()


def run(
    settings: Settings,
    open_engine: Callable[[], Engine],
    pages: Sequence[Route] = (),
    link: Link | None = None,
) -> int:
    """Serve until a signal comes, web pages too; returns the exit code.

    With a ``link`` as one of several workers, else as the whole daemon. Raises ConfigError
    for settings that cannot work, such as a missing token file.
    """
    try:
        with listen(settings, is_shared=link is not None) as sock:
            return asyncio.run(_serve(settings, open_engine, pages, sock, link))
    except StreamasrError as error:
        if isinstance(error, UsageError):
            raise
        log.error("%s", error)
        return 1


async def _serve(
    settings: Settings,
    open_engine: Callable[[], Engine],
    pages: Sequence[Route],
    sock: socket.socket,
    link: Link | None,
) -> int:
    meters = Meters()
    calibration = Calibration(settings)
    worker = EngineThread(open_engine, observer=meters, idle_work=calibration.measure)
    app = create_app(
        worker,
        settings,
        pages,
        meters=meters,
        capacity=calibration,
        tally=None if link is None else link.tally,
    )
    service: Service = app.state.service
    try:
        server = Server(app, settings)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"cannot use the TLS certificate: {error}") from error
    stopped = _watch_signals(service, link)
    started = asyncio.Event()
    serving = asyncio.create_task(_answer(server, sock, started, link), name="server")
    page = _page_address(settings, sock) if pages else ""
    running = asyncio.create_task(_run_engine(worker, started), name="engine")
    telling = asyncio.create_task(
        _tell_ready(started, server, service, settings, sock, page, link), name="tell"
    )
    waiting = asyncio.create_task(stopped.wait(), name="signal")
    async with wyoming(service, is_shared=link is not None):
        await asyncio.wait({serving, running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        has_failed = not stopped.is_set()
        if has_failed:
            service.fail()
        if link is None:
            notify("STOPPING=1")
        log.info("stopping: %d sessions are open", service.sessions)
        cut = await service.drain()
    server.stop()
    await worker.stop()
    for task in (waiting, running, telling, *(() if server.listens.is_set() else (serving,))):
        task.cancel()
    tasks = (serving, running, waiting, telling)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            log.error("%s", result, exc_info=None if isinstance(result, StreamasrError) else result)
    log.info("stopped: %s", f"{cut} sessions were cut" if cut else "all sessions finished")
    return 1 if has_failed or cut else 0


async def _run_engine(worker: EngineThread, started: asyncio.Event) -> None:
    """Load the engine; ends only if the engine fails."""
    await worker.start()
    started.set()
    await worker.wait_ended()


async def _answer(
    server: Server, sock: socket.socket, started: asyncio.Event, link: Link | None
) -> None:
    """Serve HTTP at once, but as one of several workers only when sessions are welcome."""
    if link is not None:
        await started.wait()
    await server.serve([sock])


async def _tell_ready(
    started: asyncio.Event,
    server: Server,
    service: Service,
    settings: Settings,
    sock: socket.socket,
    page: str,
    link: Link | None,
) -> None:
    """Say in the log, and to whoever started us, that sessions are welcome, and where."""
    await started.wait()
    await server.listens.wait()
    worker = service.worker
    facts = worker.facts
    assert facts is not None, "a started worker has an engine"
    service.update()
    host, port = sock.getsockname()[:2]
    log.info(
        "ready on %s://%s:%d%s: model %s, engine %s, algorithmic latency %.0f ms, %d sessions",
        "wss" if settings.server.tls_cert else "ws",
        f"[{host}]" if ":" in host else host,
        port,
        STREAM_PATH,
        facts.name,
        worker.engine_name,
        facts.latency_ms,
        service.room,
    )
    if link is not None:
        link.ready()
        return
    if page:
        log.info("live captions in a browser: %s", page)
    notify("READY=1")


def _page_address(settings: Settings, sock: socket.socket) -> str:
    """Where to open the demo page on this machine."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    elif ":" in host:
        host = f"[{host}]"
    scheme = "https" if settings.server.tls_cert else "http"
    return f"{scheme}://{host}:{port}{DEMO_PATH}"


def _watch_signals(service: Service, link: Link | None) -> asyncio.Event:
    """Set the event at the first signal, cut all sessions at the second.

    A worker is told by its supervisor, and stops when that is gone.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopped.is_set():
            service.cut()
        stopped.set()

    def on_word() -> None:
        loop.remove_reader(link.pipe.fileno())  # type: ignore[union-attr]
        stopped.set()

    loop.add_signal_handler(signal.SIGTERM, on_signal)
    if link is None:
        loop.add_signal_handler(signal.SIGINT, on_signal)
    else:
        loop.add_reader(link.pipe.fileno(), on_word)
    return stopped
