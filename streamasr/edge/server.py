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
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace

from starlette.routing import Route

from streamasr.core.recognizer import Engine
from streamasr.edge.capacity import Calibration
from streamasr.edge.listening import Given, farthest, listen
from streamasr.edge.metrics import Meters
from streamasr.edge.notify import notify
from streamasr.edge.pages import DEMO_PATH
from streamasr.edge.service import STREAM_PATH, Service, create_app
from streamasr.edge.settings import Settings
from streamasr.edge.supervisor import Link
from streamasr.edge.watchdog import SIGNS, feed, watchdog_s
from streamasr.edge.webserver import Server
from streamasr.edge.worker import EngineThread
from streamasr.edge.wyoming import wyoming
from streamasr.errors import ConfigError, StreamasrError, UsageError

__all__ = ["Server", "create_app", "run"]

log = logging.getLogger(__name__)


def run(
    settings: Settings,
    open_engine: Callable[[], Engine],
    pages: Sequence[Route] = (),
    link: Link | None = None,
) -> int:
    """Serve until a signal comes, web pages too; returns the exit code.

    With a ``link`` as one of several workers, else as the whole daemon, on the sockets that
    systemd gives us or on our own. Raises ConfigError for settings that cannot work, such as
    a missing token file.
    """
    try:
        given = Given.take(os.environ) if link is None else link.given
        settings = given.settle(settings)
        with contextlib.ExitStack() as stack:
            web = given.web
            if not web:
                web = (stack.enter_context(listen(settings, is_shared=link is not None)),)
            daemon = Daemon(settings, open_engine, pages, replace(given, web=web), link)
            daemon.waits_to_accept = link is not None or bool(given.web)
            return asyncio.run(daemon.serve())
    except StreamasrError as error:
        if isinstance(error, UsageError):
            raise
        log.error("%s", error)
        return 1


class Daemon:
    """One process of the daemon."""

    waits_to_accept = False
    """Whether connections wait until sessions are welcome, rather than being refused: where
    other workers take them meanwhile, or systemd keeps them for us."""

    def __init__(
        self,
        settings: Settings,
        open_engine: Callable[[], Engine],
        pages: Sequence[Route],
        socks: Given,
        link: Link | None,
    ) -> None:
        self._settings = settings
        self._open_engine = open_engine
        self._pages = pages
        self._socks = socks
        self._link = link

    async def serve(self) -> int:
        """Live; the exit code."""
        link = self._link
        meters = Meters()
        calibration = Calibration(self._settings)
        worker = EngineThread(self._open_engine, observer=meters, idle_work=calibration.measure)
        app = create_app(
            worker,
            self._settings,
            self._pages,
            meters=meters,
            capacity=calibration,
            tally=None if link is None else link.tally,
        )
        service: Service = app.state.service
        try:
            server = Server(app, self._settings)
        except OSError as error:  # ssl.SSLError is one too
            raise ConfigError(f"cannot use the TLS certificate: {error}") from error
        stopped = _watch_signals(service, link)
        started = asyncio.Event()
        serving = asyncio.create_task(self._answer(server, started), name="server")
        running = asyncio.create_task(_run_engine(worker, started), name="engine")
        waiting = asyncio.create_task(stopped.wait(), name="signal")
        is_shared = link is not None
        async with wyoming(service, is_shared=is_shared, given=self._socks.wyoming) as port:
            telling = asyncio.create_task(
                self._tell_ready(started, server, service, port), name="tell"
            )
            await asyncio.wait({serving, running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            has_failed = not stopped.is_set()
            if has_failed:
                service.fail()
            else:
                log.info("stopping: %d sessions are open", service.sessions)
            if link is None:
                notify("STOPPING=1")
            cut = await service.drain()
        server.stop()
        await worker.stop()
        for task in (waiting, running, telling, *(() if server.listens.is_set() else (serving,))):
            task.cancel()
        tasks = (serving, running, waiting, telling)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                is_known = isinstance(result, StreamasrError)
                log.error("%s", result, exc_info=None if is_known else result)
        if cut:
            log.info("stopped: %d sessions were cut", cut)
        elif not has_failed:
            log.info("stopped: all sessions finished")
        return 1 if has_failed or cut else 0

    async def _answer(self, server: Server, started: asyncio.Event) -> None:
        """Serve HTTP, at once where nobody else answers meanwhile."""
        if self.waits_to_accept:
            await started.wait()
        await server.serve(list(self._socks.web))

    async def _tell_ready(
        self,
        started: asyncio.Event,
        server: Server,
        service: Service,
        wyoming_port: int | None,
    ) -> None:
        """Say in the log, and to whoever started us, that sessions are welcome, and where.

        Then give signs of life, where somebody waits for them.
        """
        await started.wait()
        await server.listens.wait()
        facts = service.worker.facts
        assert facts is not None, "a started worker has an engine"
        service.update()
        server_settings = self._settings.server
        for sock in self._socks.web:
            host, port = sock.getsockname()[:2]
            log.info(
                "ready on %s://%s:%d%s: model %s, engine %s, algorithmic latency %.0f ms, "
                "%d sessions",
                "wss" if server_settings.tls_cert else "ws",
                _shown(host),
                port,
                STREAM_PATH,
                facts.name,
                service.worker.engine_name,
                facts.latency_ms,
                service.room,
            )
        if wyoming_port is not None:
            host = server_settings.wyoming_host
            log.info("Wyoming on tcp://%s:%d", _shown(host), wyoming_port)
        if self._link is not None:
            self._link.ready()
            await feed(lambda: service.worker, interval_s=self._link.beat_s, tell=self._link.beat)
        if self._pages:
            log.info("live captions in a browser: %s", page_address(self._settings, self._socks))
        notify("READY=1")
        if patience := watchdog_s():
            await feed(
                lambda: service.worker,
                interval_s=patience / SIGNS,
                tell=lambda: notify("WATCHDOG=1"),
            )


async def _run_engine(worker: EngineThread, started: asyncio.Event) -> None:
    """Load the engine; ends only if the engine fails."""
    await worker.start()
    started.set()
    await worker.wait_ended()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def page_address(settings: Settings, socks: Given) -> str:
    """Where to open the demo page on this machine."""
    host, port = farthest(socks.web)
    host = "localhost" if host in ("0.0.0.0", "::") else _shown(host)
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
