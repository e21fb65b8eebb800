"""The web application: the door, the health pages, and the sessions that are open.

    app = create_app(worker, settings)      # for uvicorn; app.state.service is the Service

Who is refused is refused as HTTP, before the websocket opens: 401 and 403 for the request
itself, 503 when there is no room, while the engine loads, and while the service drains.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from streamasr.core.dialects import Dialect, Refusal, Refused, native
from streamasr.edge.admission import KEY_BYTES
from streamasr.edge.capacity import Calibration, Kind
from streamasr.edge.door import ABORT, Door
from streamasr.edge.entrances import ENTRANCES
from streamasr.edge.generation import Generation, first
from streamasr.edge.metrics import Meters
from streamasr.edge.minting import Minting
from streamasr.edge.prerecorded import Listening
from streamasr.edge.session import Session
from streamasr.edge.settings import Settings
from streamasr.edge.tally import Tally
from streamasr.edge.transport import Transport
from streamasr.edge.uploads import Uploads
from streamasr.edge.worker import EngineThread
from streamasr.errors import StreamasrError

__all__ = ["ABORT", "STREAM_PATH", "Service", "create_app"]

log = logging.getLogger(__name__)

STREAM_PATH = native.ENTRANCE.path
CROWD = 8
"""Streams that one may call a load."""
ROUND_SHARE = 0.9
"""Of a step's duration: what a round of all streams may take before newcomers are refused."""


class Service:
    """All sessions of one daemon and the door in front of them."""

    def __init__(
        self,
        worker: EngineThread,
        settings: Settings,
        *,
        meters: Meters | None = None,
        capacity: Calibration | None = None,
        tally: Tally | None = None,
        secret_key: bytes = b"",
    ) -> None:
        self.secret_key = secret_key or secrets.token_bytes(KEY_BYTES)
        """Signs the secrets that are given out; it outlives a reload."""
        self.current: Generation = first(worker, settings, capacity, self.secret_key)
        """What new sessions are given."""
        self.meters = meters or Meters()
        self._tally = tally or Tally()
        self._sessions: set[Session] = set()
        self._clients: Counter[str] = Counter()  # sessions of each client
        self._is_draining = False
        self._cut = 0  # sessions that were cut
        self._changed = asyncio.Event()  # a session ended

    @property
    def worker(self) -> EngineThread:
        """The engine thread of new sessions."""
        return self.current.worker

    @property
    def settings(self) -> Settings:
        """The settings of new sessions."""
        return self.current.settings

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    @property
    def model(self) -> str:
        """The model's name; empty while it is being loaded."""
        return self.worker.facts.name if self.worker.facts is not None else ""

    @property
    def description(self) -> str:
        """What new sessions get, for the log."""
        facts = self.worker.facts
        assert facts is not None, "a started worker has an engine"
        return (
            f"model {facts.name}, engine {self.worker.engine_name}, "
            f"algorithmic latency {facts.latency_ms:.0f} ms, {self.room} sessions"
        )

    @property
    def streams(self) -> int:
        """The most that the open sessions recognise at a time."""
        return sum(session.streams for session in self._sessions)

    @property
    def room(self) -> int:
        """The streams of this process, and as many more of the usual kind as there is room for."""
        room = min(self.settings.limits.sessions, self.worker.capacity)
        estimated = self._estimate() if self.settings.limits.calibrated else None
        return room if estimated is None else min(room, estimated)

    def _estimate(self) -> int | None:
        """What this machine carries: the streams that are open, and more of the usual kind."""
        calibration, kinds = self.current.calibration, self._kinds()
        free = calibration.free(kinds)
        return calibration.streams if free is None or not kinds else len(kinds) + free

    def _kinds(self, but: Session | None = None) -> list[Kind]:
        """What each open stream costs as much as."""
        usual = self.current.calibration.usual
        sessions = [session for session in self._sessions if session is not but]
        return [each.kind or usual for each in sessions for _ in range(each.streams)]

    def fits(self, session: Session, kind: Kind) -> bool:
        """Whether there is room for what an open session turns out to ask for."""
        if not self.settings.limits.calibrated:
            return True
        beside = self._kinds(but=session) + [kind] * (session.streams - 1)
        return self.current.calibration.fits(beside, kind)

    @property
    def is_overloaded(self) -> bool:
        """The engine takes longer for a round of all streams than a step of them lasts."""
        facts = self.worker.facts
        if facts is None or self.streams < CROWD:
            return False
        return self.worker.round_s > ROUND_SHARE * facts.step_samples / facts.sample_rate

    def update(self) -> None:
        """Tell the other workers, and whoever reads the metrics, what is open here."""
        self._tally.update(streams=self.streams, room=self.room)
        self.meters.streams.set(self.streams)
        self.meters.capacity.set(self._estimate() or self.room)

    def not_ready(self) -> str:
        """Why nobody can come in now; empty when the daemon is ready."""
        if self._is_draining:
            return "the server is shutting down"
        if not self.worker.is_ready:
            return "the model is being loaded" if self.worker.is_alive else "the engine failed"
        return ""

    def admit(self, headers: Mapping[str, str], query: str, peer: str) -> None:
        """Let a request for a session in, or raise Refused; ``peer`` is address and port."""
        if (refusal := self.current.admission.refuse(headers, query)) is not None:
            raise Refused(refusal)
        self.check_client(peer)
        self.check_room(1)

    def check_client(self, peer: str) -> None:
        """Raise Refused when a client has all the sessions that it may have."""
        most = self.settings.limits.client_sessions
        if most and self._clients[client_of(peer)] >= most:
            message = f"this client has the {most} sessions that it may have"
            raise Refused(Refusal(429, "busy", message, "end one of them first"))

    def mint(self, headers: Mapping[str, str], query: str) -> tuple[str, int]:
        """A secret as good as the token of this request, and the second when it expires.

        Raises Refused; a secret does not beget another.
        """
        admission = self.current.admission
        refusal = admission.refuse(headers, query, may_be_minted=False)
        if refusal is not None:
            raise Refused(refusal)
        return admission.mint()

    def check_room(self, streams: int) -> None:
        """Raise Refused when there is no room for so many more."""
        if reason := self.not_ready():
            raise Refused(Refusal(503, "not_ready", reason, "try again later"))
        room, limit = self.room, self.settings.limits.sessions
        if self.streams + streams > room or self._tally.streams + streams > limit:
            message = f"all {min(limit, self._tally.room or room)} sessions are taken"
            raise Refused(Refusal(503, "busy", message, "try again later"))
        if self.is_overloaded:
            raise Refused(Refusal(503, "busy", "the machine is at its limit", "try again later"))

    def session(self, dialect: Dialect, transport: Transport, name: str) -> Session:
        """A session of ours that speaks a dialect over a connection; `counting` counts it."""
        return Session(
            self.worker,
            self.settings,
            dialect,
            transport,
            name=name,
            meter=self.meters.session(dialect.name),
            fits=self.fits,
        )

    @contextlib.contextmanager
    def counting(self, session: Session) -> Iterator[None]:
        """Count a session, and drain it with the others."""
        self._sessions.add(session)
        client = client_of(session.peer)
        self._clients[client] += 1
        self.update()
        try:
            yield
        finally:
            self._sessions.discard(session)
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]
            self.update()
            self._changed.set()

    async def drain(self) -> int:
        """Refuse newcomers, let all sessions finish, cut what is left at the deadline.

        Half of the time is for hearing what was sent already, the rest for what follows from it.
        Returns how many were cut, then or by `cut` meanwhile.
        """
        self._is_draining = True
        drain_s = self.settings.limits.drain_s
        for session in list(self._sessions):
            session.drain(drain_s / 2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._all_gone()
        self.cut()
        return self._cut

    async def _all_gone(self) -> None:
        while self._sessions:
            self._changed.clear()
            await self._changed.wait()

    async def until_free(self, worker: EngineThread) -> None:
        """Return when no session is left on an engine thread."""
        while any(session.worker is worker for session in self._sessions):
            self._changed.clear()
            await self._changed.wait()

    def fail(self, worker: EngineThread) -> None:
        """Tell the sessions of an engine thread that it is no more."""
        error = StreamasrError("the engine failed", remedy="connect again")
        for session in list(self._sessions):
            if session.worker is worker:
                session.fail(error)

    def cut(self) -> None:
        """Drop all connections at once."""
        for session in list(self._sessions):
            session.cut()
            self._cut += 1

    # ---- pages ----

    async def healthz(self, request: Request) -> JSONResponse:
        """Whether the process works; restart it if not."""
        if self.worker.is_alive:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "the engine failed"}, 503)

    async def readyz(self, request: Request) -> JSONResponse:
        """Whether new sessions are welcome; send traffic elsewhere if not."""
        reason = self.not_ready()
        self.update()
        limit = self.settings.limits.sessions
        body: dict[str, Any] = {
            "ready": not reason,
            "sessions": self._tally.streams,
            "room": min(limit, self._tally.room),
        }
        if reason:
            body["reason"] = reason
        return JSONResponse(body, 503 if reason else 200)

    async def metrics(self, request: Request) -> Response:
        """The numbers of all workers, for Prometheus."""
        self.update()
        body, content_type = self.meters.page()
        return Response(body, headers={"content-type": content_type})


def client_of(peer: str) -> str:
    """Whose address and port these are: an address, or the network of one who has many.

    >>> client_of("192.0.2.7:4711"), client_of("2001:db8:1:2:3::4:4711")
    ('192.0.2.7', '2001:db8:1:2::/64')
    """
    host = peer.rpartition(":")[0].strip("[]").partition("%")[0]
    with contextlib.suppress(ValueError):
        address = ip_address(host)
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            return str(mapped)
        if address.version == 6:
            return str(ip_network((address, 64), strict=False))
    return host


def create_app(
    worker: EngineThread, settings: Settings, pages: Sequence[Route] = (), **parts: Any
) -> Starlette:
    """Build the application; it serves sessions once the worker is ready, ``pages`` at once.

    ``parts`` are those of `Service`. Raises ConfigError when the token file is no good.
    """
    service = Service(worker, settings, **parts)
    app = Starlette(
        routes=[
            *_doors(service),
            *(uploads := Uploads(service)).routes(),
            *Listening(uploads).routes(),
            *Minting(service).routes(),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
            Route("/metrics", service.metrics),
            *pages,
        ]
    )
    app.state.service = service
    return app


def _doors(service: Service) -> Iterator[BaseRoute]:
    for entrance in ENTRANCES:
        door = Door(service, entrance)
        yield WebSocketRoute(entrance.path, door)
        if entrance.path != "/":  # a page is there
            yield Route(entrance.path, door.explain)
