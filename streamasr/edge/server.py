"""The life of the daemon: listen, load, serve, drain, leave.

    code = run(settings, open_engine)     # 0 drained, 1 failed

Stopping is a sentence. The first SIGTERM or SIGINT: refuse new sessions, finish the open
utterances, send finals and ``closed``, wait at most ``limits.drain_s``, then cut what is
left. A second signal cuts at once. The process exits with 0 if nobody was cut.

SIGHUP reads the settings again: new sessions get what they say, or, when something is wrong
with them, what they got before. Where the terminal is gone that we were started at, it stops us.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from starlette.routing import Route

from streamasr.edge.capacity import Calibration
from streamasr.edge.generation import Generation, Opener, Reloader, ended_before, pin
from streamasr.edge.link import Link
from streamasr.edge.listening import Given, farthest, listen
from streamasr.edge.metrics import Meters
from streamasr.edge.notify import notify, reloading
from streamasr.edge.pages import DEMO_PATH
from streamasr.edge.service import STREAM_PATH, Service, create_app
from streamasr.edge.settings import Settings
from streamasr.edge.supervisor import Reread
from streamasr.edge.tls import Certificate
from streamasr.edge.watchdog import SIGNS, feed, watchdog_s
from streamasr.edge.webserver import Server
from streamasr.edge.worker import EngineThread
from streamasr.edge.wyoming import wyoming
from streamasr.errors import StreamasrError, UsageError

log = logging.getLogger(__name__)


def run(
    settings: Settings,
    open_engine: Opener,
    pages: Sequence[Route] = (),
    link: Link | None = None,
    reread: Reread | None = None,
) -> int:
    """Serve until a signal comes, web pages too; returns the exit code.

    With a ``link`` as one of several workers, else as the whole daemon, on the sockets that
    systemd gives us or on our own. ``reread`` gives the settings anew for a reload. Raises
    ConfigError for settings that cannot work, such as a missing token file.
    """
    try:
        given = Given.take(os.environ) if link is None else link.given
        settled = given.settle(settings)
        with contextlib.ExitStack() as stack:
            web = given.web
            if not web:
                web = (stack.enter_context(listen(settled, is_shared=link is not None)),)
            daemon = Daemon(settled, open_engine, pages, replace(given, web=web), link)
            daemon.waits_to_accept = link is not None or bool(given.web)
            if reread is not None:
                daemon.reread = lambda used: pin(settings, used, reread())
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
    reread: Callable[[Settings], Settings] | None = None
    """The settings of now, given those in use."""

    def __init__(
        self,
        settings: Settings,
        open_engine: Opener,
        pages: Sequence[Route],
        socks: Given,
        link: Link | None,
    ) -> None:
        self._settings = settings
        self._open_engine = open_engine
        self._pages = pages
        self._socks = socks
        self._link = link
        self._stopped = asyncio.Event()  # somebody asked us to
        self._started = asyncio.Event()  # the engine is warm
        self._successor: Generation | None = None  # prepared, and not yet adopted
        self._replaced = asyncio.Event()  # new sessions get another engine
        self._reloading: asyncio.Task[None] | None = None
        self._again = False  # asked to reload while that was under way
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()

    async def serve(self) -> int:
        """Live; the exit code."""
        link = self._link
        meters = Meters()
        calibration = Calibration(self._settings)
        worker = EngineThread(
            partial(self._open_engine, self._settings),
            observer=meters,
            idle_work=calibration.measure,
        )
        app = create_app(
            worker,
            self._settings,
            self._pages,
            meters=meters,
            capacity=calibration,
            tally=None if link is None else link.tally,
            secret_key=b"" if link is None else link.secret_key,
        )
        service: Service = app.state.service
        certificate = Certificate.of(self._settings)
        server = Server(app, self._settings, certificate)
        self._server, self._service = server, service
        self._reloader = Reloader(service, self._open_engine, certificate)
        self._watch_signals()
        serving = asyncio.create_task(self._answer(), name="server")
        running = asyncio.create_task(self._run_engines(), name="engine")
        waiting = asyncio.create_task(self._stopped.wait(), name="signal")
        helping = [waiting, running]
        if certificate is not None:
            helping.append(asyncio.create_task(certificate.watch(), name="certificate"))
        is_shared = link is not None
        async with wyoming(service, is_shared=is_shared, given=self._socks.wyoming) as port:
            helping.append(asyncio.create_task(self._tell_ready(port), name="tell"))
            await asyncio.wait({serving, running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            has_failed = not self._stopped.is_set()
            if has_failed:
                service.fail(service.worker)
            else:
                log.info("stopping: %d sessions are open", service.sessions)
            if link is None:
                notify("STOPPING=1")
            cut = await service.drain()
        server.stop()
        if self._reloading is not None:
            helping.append(self._reloading)
        for task in (*helping, *(() if server.listens.is_set() else (serving,))):
            task.cancel()
        for result in await asyncio.gather(serving, *helping, return_exceptions=True):
            if isinstance(result, Exception):
                _complain(result)
        await self._reloader.close()
        await service.worker.stop()
        if cut:
            log.info("stopped: %d sessions were cut", cut)
        elif not has_failed:
            log.info("stopped: all sessions finished")
        return 1 if has_failed or cut else 0

    async def _run_engines(self) -> None:
        """Load the engine; ends only if the one of new sessions fails."""
        await self._service.worker.start()
        self._started.set()
        while not await ended_before(self._engine(), self._replaced.wait()):
            self._replaced.clear()

    async def _answer(self) -> None:
        """Serve HTTP, at once where nobody else answers meanwhile."""
        if self.waits_to_accept:
            await self._started.wait()
        await self._server.serve(list(self._socks.web))

    async def _tell_ready(self, wyoming_port: int | None) -> None:
        """Say in the log, and to whoever started us, that sessions are welcome, and where.

        Then give signs of life, where somebody waits for them.
        """
        await self._started.wait()
        await self._server.listens.wait()
        self._service.update()
        for sock in self._socks.web:
            host, port = sock.getsockname()[:2]
            scheme = "wss" if self._settings.server.tls_cert else "ws"
            address = f"{scheme}://{_shown(host)}:{port}{STREAM_PATH}"
            log.info("ready on %s: %s", address, self._service.description)
        if wyoming_port is not None:
            host = _shown(self._settings.server.wyoming_host)
            log.info("Wyoming on tcp://%s:%d", host, wyoming_port)
        if self._pages and self._link is None:
            log.info("live captions in a browser: %s", page_address(self._settings, self._socks))
        if self._link is not None:
            self._link.ready()
            await feed(self._engine, interval_s=self._link.beat_s, tell=self._link.beat)
        notify("READY=1")
        if patience := watchdog_s():
            tell = partial(notify, "WATCHDOG=1")
            await feed(self._engine, interval_s=patience / SIGNS, tell=tell)

    def _engine(self) -> EngineThread:
        return self._service.worker

    # ---- signals ----

    def _watch_signals(self) -> None:
        """Stop at the first signal to stop, cut all sessions at the second; reload at SIGHUP.

        A worker is told by its supervisor, and stops when that is gone.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_stop)
        if self._link is not None:
            loop.add_reader(self._link.pipe.fileno(), self._on_word, self._link)
        else:
            loop.add_signal_handler(signal.SIGINT, self._on_stop)
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _on_stop(self) -> None:
        if self._stopped.is_set():
            self._service.cut()
        self._stopped.set()

    def _on_hangup(self) -> None:
        if self._has_terminal and not sys.stdin.isatty():
            self._on_stop()
        elif self._reloading is not None and not self._reloading.done():
            self._again = True  # the settings may have changed since they were read
        else:
            self._reloading = asyncio.create_task(self._reload_all(), name="reload")

    def _on_word(self, link: Link) -> None:
        """The supervisor has something to say, or is gone."""
        try:
            kind, value = link.pipe.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(link.pipe.fileno())
            self._stopped.set()
            return
        if kind == "prepare":
            self._reloading = asyncio.create_task(self._prepare(link, value), name="reload")
        elif self._successor is not None:
            successor, self._successor = self._successor, None
            act = self._adopt if kind == "adopt" else self._reloader.discard
            self._reloading = asyncio.create_task(act(successor), name=kind)

    # ---- reload ----

    async def _reload_all(self) -> None:
        """Reload as long as it is asked for meanwhile."""
        await self._reload()
        while self._again:
            self._again = False
            await self._reload()

    async def _reload(self) -> None:
        """Take new settings, or keep the old ones and say why."""
        await self._started.wait()
        if self.reread is None:
            log.warning("there are no settings to read again")
            return
        reloading()
        try:
            wanted = self.reread(self._service.settings)
            await self._adopt(await self._reloader.prepare(wanted))
        except Exception as error:
            _complain(error, "reload refused, all stays as it was")
            notify(f"READY=1\nSTATUS=the last reload was refused: {error}")
        else:
            notify("READY=1\nSTATUS=")

    async def _prepare(self, link: Link, settings: Settings) -> None:
        """Get ready for new settings, and tell the supervisor whether that can be."""
        problem = ""
        try:
            self._successor = await self._reloader.prepare(settings)
        except Exception as error:
            problem = str(error) or type(error).__name__
            if not isinstance(error, StreamasrError):
                _complain(error)
        link.prepared(problem)

    async def _adopt(self, successor: Generation) -> None:
        try:
            self._reloader.adopt(successor)
        except StreamasrError:
            await self._reloader.discard(successor)
            raise
        self._replaced.set()
        self._server.allow(successor.settings)
        log.info("reloaded: %s", self._service.description)


def _complain(error: Exception, what: str = "") -> None:
    is_known = isinstance(error, StreamasrError)
    log.error("%s%s", f"{what}: " if what else "", error, exc_info=None if is_known else error)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def page_address(settings: Settings, socks: Given) -> str:
    """Where to open the demo page on this machine."""
    host, port = farthest(socks.web)
    host = "localhost" if host in ("0.0.0.0", "::") else _shown(host)
    scheme = "https" if settings.server.tls_cert else "http"
    return f"{scheme}://{host}:{port}{DEMO_PATH}"
