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
from streamasr.edge.notify import notify
from streamasr.edge.pages import DEMO_PATH
from streamasr.edge.service import ABORT, STREAM_PATH, Service, create_app
from streamasr.edge.settings import Settings
from streamasr.edge.worker import EngineThread
from streamasr.errors import ConfigError, StreamasrError, UsageError

__all__ = ["Server", "create_app", "listen", "run"]

log = logging.getLogger(__name__)

BACKLOG = 1024
SEND_BUFFER_BYTES = 64 * 1024
"""Of the kernel, for each connection: what a client that does not read can make us keep."""
PING_INTERVAL_S = 20.0
"""Keeps the paths through routers open; a late answer is no reason to hang up."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""A machine that vanished is noticed after a minute."""
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

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def main_loop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Stop listening and close what connections are left."""
        self._stop.set()


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket; raises StreamasrError naming address and reason."""
    host, port = settings.server.host, settings.server.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise StreamasrError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            remedy="choose another --host or --port",
        ) from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # asyncio sets this only for sockets that were made with IPPROTO_TCP by name
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in KEEPALIVE.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def run(settings: Settings, open_engine: Callable[[], Engine], pages: Sequence[Route] = ()) -> int:
    """Serve until a signal comes, web pages too; returns the exit code.

    Raises ConfigError for settings that cannot work, such as a missing token file.
    """
    try:
        with listen(settings) as sock:
            return asyncio.run(_serve(settings, open_engine, pages, sock))
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
) -> int:
    worker = EngineThread(open_engine)
    app = create_app(worker, settings, pages)
    service: Service = app.state.service
    try:
        server = Server(app, settings)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"cannot use the TLS certificate: {error}") from error
    stopped = _watch_signals(service)
    serving = asyncio.create_task(server.serve([sock]), name="server")
    page = _page_address(settings, sock) if pages else ""
    running = asyncio.create_task(_run_engine(worker, settings, sock, page), name="engine")
    waiting = asyncio.create_task(stopped.wait(), name="signal")
    await asyncio.wait({serving, running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    has_failed = not stopped.is_set()
    notify("STOPPING=1")
    log.info("stopping: %d sessions are open", service.sessions)
    cut = await service.drain()
    server.stop()
    await worker.stop()
    for task in (waiting, running):
        task.cancel()
    results = await asyncio.gather(serving, running, waiting, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            log.error("%s", result, exc_info=None if isinstance(result, StreamasrError) else result)
    log.info("stopped: %s", f"{cut} sessions were cut" if cut else "all sessions finished")
    return 1 if has_failed or cut else 0


async def _run_engine(
    worker: EngineThread, settings: Settings, sock: socket.socket, page: str
) -> None:
    """Load the engine and say so, and where the page is; ends only if the engine fails."""
    await worker.start()
    facts = worker.facts
    assert facts is not None, "a started worker has an engine"
    host, port = sock.getsockname()[:2]
    scheme = "wss" if settings.server.tls_cert else "ws"
    log.info(
        "ready on %s://%s:%d%s: model %s, engine %s, algorithmic latency %.0f ms, %d sessions",
        scheme,
        f"[{host}]" if ":" in host else host,
        port,
        STREAM_PATH,
        facts.name,
        worker.engine_name,
        facts.latency_ms,
        min(settings.limits.sessions, worker.capacity),
    )
    if page:
        log.info("live captions in a browser: %s", page)
    notify("READY=1")
    await worker.wait_ended()


def _page_address(settings: Settings, sock: socket.socket) -> str:
    """Where to open the demo page on this machine."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    elif ":" in host:
        host = f"[{host}]"
    scheme = "https" if settings.server.tls_cert else "http"
    return f"{scheme}://{host}:{port}{DEMO_PATH}"


def _watch_signals(service: Service) -> asyncio.Event:
    """Set the event at the first signal, cut all sessions at the second."""
    stopped = asyncio.Event()

    def on_signal() -> None:
        if stopped.is_set():
            service.cut()
        stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stopped
