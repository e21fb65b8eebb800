"""What sessions that begin now are given: settings, engine, tokens. A reload makes the next one.

    reloader = Reloader(service, open_engine, asked=settings)
    successor = await reloader.prepare(new_settings)     # raises; nothing has changed then
    reloader.adopt(successor)

Sessions that are open keep the generation that they began with. Its engine ends with the last
of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from streamasr.core.recognizer import Engine
from streamasr.edge.admission import Admission
from streamasr.edge.bundle import FACTS_FILE, find
from streamasr.edge.capacity import Calibration
from streamasr.edge.settings import Settings, check
from streamasr.edge.tls import Certificate
from streamasr.edge.worker import EngineThread
from streamasr.errors import BundleError

if TYPE_CHECKING:
    from streamasr.edge.service import Service

log = logging.getLogger(__name__)

FIXED = ("host", "port", "workers", "wyoming_host", "wyoming_port")
"""Of ``server.*``, what only a restart changes."""
Opener = Callable[[Settings], Engine]
"""Opens the engine of these settings; called in the engine's own thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """All that a new session is given."""

    settings: Settings
    worker: EngineThread
    admission: Admission
    calibration: Calibration
    key: object
    """What the engine depends on: see `engine_key`."""


def first(
    worker: EngineThread,
    settings: Settings,
    calibration: Calibration | None = None,
    secret_key: bytes = b"",
) -> Generation:
    """The generation that a daemon starts with; raises ConfigError as `Admission` does."""
    admission = Admission.from_settings(settings, secret_key)
    calibration = calibration or Calibration(settings)
    return Generation(settings, worker, admission, calibration, engine_key(settings))


def pin(asked: Settings, used: Settings, wanted: Settings) -> Settings:
    """New settings, with what a restart alone can change left as it is in use.

    ``asked`` is what ``used`` was made of: where port 0 was asked for, a certain one is used.
    Raises ConfigError when they contradict each other so.
    """
    kept = {}
    for name in FIXED:
        kept[name] = getattr(used.server, name)
        was, now = getattr(asked.server, name), getattr(wanted.server, name)
        if was != now:
            log.warning("server.%s = %r takes a restart; %r stays", name, now, was)
    if bool(asked.server.tls_cert) != bool(wanted.server.tls_cert):
        log.warning("TLS on or off takes a restart; it stays as it is")
        kept["tls_cert"], kept["tls_key"] = used.server.tls_cert, used.server.tls_key
    pinned = replace(wanted, server=replace(wanted.server, **kept))
    check(pinned)
    return pinned


def engine_key(settings: Settings) -> tuple[object, ...]:
    """What an engine depends on: two that have it equal are the same."""
    server = settings.server
    facts = ""
    with suppress(BundleError, OSError):  # told when it is opened
        # the facts of a bundle hold the checksums of all its parts
        facts = hashlib.sha256((find(server.model) / FACTS_FILE).read_bytes()).hexdigest()
    return (
        server.model, facts, server.device, server.decoder, server.threads,
        settings.limits.sessions, settings.stream.hotwords,
    )  # fmt: skip


async def ended_before(worker: EngineThread, other: Coroutine[Any, Any, object]) -> bool:
    """Wait for the end of an engine thread or of something else; says whether it was the thread.

    Raises what the thread failed of.
    """
    ended = asyncio.create_task(worker.wait_ended())
    waiting = asyncio.create_task(other)
    try:
        await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await ended
        return ended.done()
    finally:
        ended.cancel()
        waiting.cancel()


class Reloader:
    """Puts new settings in the place of those in use, all of them or none."""

    def __init__(
        self, service: Service, open_engine: Opener, certificate: Certificate | None = None
    ) -> None:
        self._service = service
        self._open_engine = open_engine
        self._certificate = certificate
        self._retiring: dict[asyncio.Task[None], EngineThread] = {}

    async def prepare(self, settings: Settings) -> Generation:
        """Make a generation of these settings, its engine warm; raises what keeps it from that."""
        current = self._service.current
        admission = Admission.from_settings(settings, self._service.secret_key)
        if self._certificate is not None:
            Certificate(settings)
        key = engine_key(settings)
        if key == current.key:
            return replace(current, settings=settings, admission=admission)
        calibration = Calibration(settings)
        worker = EngineThread(
            partial(self._open_engine, settings),
            observer=self._service.meters,
            idle_work=calibration.measure,
        )
        try:
            await worker.start()
        except BaseException:
            await worker.stop()
            raise
        return Generation(settings, worker, admission, calibration, key)

    async def discard(self, successor: Generation) -> None:
        """Do without what was prepared."""
        if successor.worker is not self._service.worker:
            await successor.worker.stop()

    def adopt(self, successor: Generation) -> None:
        """Give it to whoever comes from now on; raises ConfigError as `Certificate` does."""
        if self._certificate is not None:
            self._certificate.renew(successor.settings)
        before, self._service.current = self._service.current, successor
        self._service.update()
        level = successor.settings.server.log_level
        if level != before.settings.server.log_level:
            logging.getLogger().setLevel(level.upper())
        if successor.worker is not before.worker:
            task = asyncio.create_task(self._retire(before.worker), name="retire an engine")
            self._retiring[task] = before.worker
            task.add_done_callback(self._retiring.pop)

    async def _retire(self, worker: EngineThread) -> None:
        """Stop an engine once its last session is over, or let those know that it failed."""
        try:
            await ended_before(worker, self._service.until_free(worker))
        except Exception:
            self._service.fail(worker)
        await worker.stop()

    async def close(self) -> None:
        """Stop the engines of earlier generations that are not over yet."""
        retiring = dict(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        for worker in retiring.values():
            await worker.stop()
