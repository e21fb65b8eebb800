"""One connection: reads what arrives, passes it to its ears, sends what comes back.

    session = Session(worker, settings, dialect, transport)
    await session.run()

Two tasks: the listener reads the connection, the speaker writes it; the engine thread's
results arrive by a plain call on the loop in between. Nothing here computes, and nothing
knows a protocol: the dialect translates. What may pile up:

    connection -> inbox      limits.inbox_s of audio     the listener stops reading
    results -> outbox        limits.outbox_events        partials merge, the listener stops reading
    outbox -> connection     the transport's buffer      limits.stall_s, then it is cut

One timer a session watches the idle, stall and length limits, so a message costs no timer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import assert_never

from streamasr.core.dialects import (
    Action,
    Clear,
    Dialect,
    Flush,
    Hangup,
    Hear,
    Listen,
    Mark,
    Marked,
    Reply,
    Say,
    Stop,
)
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import (
    ERRORS,
    MAX_TEXT_BYTES,
    Closed,
    Error,
    Flushed,
    Limits,
    Ready,
    Start,
    WireError,
)
from streamasr.edge.capacity import Kind
from streamasr.edge.ears import Ears
from streamasr.edge.lane import Delivery, Statistics
from streamasr.edge.metrics import SessionMeter
from streamasr.edge.outbox import Outbox, Outgoing
from streamasr.edge.settings import Settings
from streamasr.edge.transport import Transport
from streamasr.edge.worker import EngineThread
from streamasr.errors import StreamasrError, UsageError

log = logging.getLogger(__name__)

LEVEL_S = 0.25
"""So long after the listener last had to wait for room, all that was sent is heard."""
LOOK_S = 0.05
"""Between two looks at whether a session that drains has come so far."""


class Session:
    """One open connection, from the first frame to the last."""

    def __init__(
        self,
        worker: EngineThread,
        settings: Settings,
        dialect: Dialect,
        transport: Transport,
        *,
        name: str = "",
        meter: SessionMeter | None = None,
        fits: Callable[[Session, Kind], bool] = lambda session, kind: True,
    ) -> None:
        """``fits`` says whether there is room for the kind of stream that is asked for."""
        self.id = name or secrets.token_hex(4)
        self.worker = worker
        self._settings = settings
        self._limits = settings.limits
        self._dialect = dialect
        self._transport = transport
        self._meter = meter
        self._fits = fits
        self.kind: Kind | None = None
        """What each of its streams costs as much as; None until that is known."""
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(bound=settings.limits.outbox_events)
        self._ears: Ears | None = None  # set by Listen
        self._before = Statistics()  # of the ears that had their day
        self._is_closing = False  # what arrives is ignored
        self._room = asyncio.Event()  # something changed: look again whether to read
        self._is_waiting = False  # the listener does not read for want of room
        self._waited_at = float("-inf")  # when that was last so
        self._opened_at = self._heard_at = self._loop.time()
        self._sending_since: float | None = None  # set while a send is under way
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""  # why the session ended, once that is decided

    @property
    def peer(self) -> str:
        """Address and port of its client."""
        return self._transport.peer

    @property
    def streams(self) -> int:
        """The most that it has recognised at a time."""
        return self._dialect.streams

    async def run(self) -> None:
        """Serve the connection until it is over."""
        self._watch()
        try:
            async with asyncio.TaskGroup() as tasks:
                speaker = tasks.create_task(self._speak(), name=f"speak {self.id}")
                self._do_all(self._dialect.greet)
                await self._listen()
                speaker.cancel()  # the connection is closed: nobody can be spoken to
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._ears is not None:
                self._ears.cancel()
            self._log_end()

    def end(self, reason: str) -> None:
        """Take no more input, decode what was heard, send finals and ``closed``."""
        if self._reason:
            return
        self._reason = reason
        self._is_closing = True
        if self._meter is not None:
            self._meter.stop()
        if self._ears is not None:
            self._ears.finish()
        else:
            self._outbox.put(self._closed())
        self._room.set()

    def drain(self, within_s: float) -> None:
        """End with ``drain`` once all that was sent is heard, or as it stands after ``within_s``.

        Whoever sends at the pace of speech is ended at once. A file is heard to its end, for
        half a text of it would look like the whole.
        """
        if not self._transport.is_file:
            self._drain(self._loop.time() + within_s)

    def _drain(self, until: float) -> None:
        now = self._loop.time()
        if now >= until or not (self._is_waiting or now - self._waited_at < LEVEL_S):
            self.end("drain")
        elif not self._reason:
            self._loop.call_later(LOOK_S, self._drain, until)

    def fail(self, error: StreamasrError) -> None:
        """Tell the client of a failure of ours, and close, unless all is told already."""
        is_waiting = self._ears is not None and not self._ears.is_finished
        if not self._is_closing or (is_waiting and not self._reason.startswith("error")):
            self._fail(error)

    def cut(self) -> None:
        """Drop the connection at once."""
        self._reason = self._reason or "cut"
        self._is_closing = True
        self._room.set()
        self._transport.abort()

    # ---- in ----

    async def _listen(self) -> None:
        """Read until the connection is closed, by whichever side."""
        while True:
            frame = await self._transport.receive()
            if frame is None:
                self._reason = self._reason or "gone"
                return
            self._heard_at = self._loop.time()
            if not self._is_closing:
                self._do_all(partial(self._receive, frame))
            if not self._has_room():
                await self._wait_for_room()

    def _receive(self, frame: str | bytes) -> Sequence[Action]:
        if isinstance(frame, bytes):
            kind, longest = "an audio message holds {} bytes", self._limits.message_bytes
        else:
            kind, longest = "a text frame holds {} characters", self._dialect.text_bytes
        if len(frame) > longest:
            raise WireError(
                "too_big",
                kind.format(len(frame)),
                remedy=f"at most {longest}: send smaller pieces",
            )
        return self._dialect.receive(frame)

    def _do_all(self, actions: Callable[[], Sequence[Action]]) -> None:
        try:
            for action in actions():
                self._do(action)
        except Exception as error:  # the boundary of a session: it ends, others go on
            self._fail(error)

    def _do(self, action: Action) -> None:
        match action:
            case Hear(data):
                self._listening.hear(data)
            case Flush(key, channel):
                self._listening.flush(key, channel)
            case Mark(key):
                self._listening.mark(key)
            case Clear():
                self._listening.clear()
            case Say():
                self._outbox.put(action)
            case Listen():
                self._open(action)
            case Stop():
                self.end("stop")
            case _:
                assert_never(action)

    @property
    def _listening(self) -> Ears:
        assert self._ears is not None, "a dialect listens first"
        return self._ears

    def _open(self, listen: Listen) -> None:
        if self._ears is not None:
            self._ears.cancel()
            self._ears.add_to(self._before)
        self._ears = ears = Ears(self.worker, listen, self._settings, self._take)
        if not self._fits(self, ears.kind):
            raise WireError(
                "busy",
                "there is no room for a stream that takes as much as this one",
                remedy="try again later, or without hot words",
            )
        self.kind = ears.kind
        self._outbox.put(self._ready(listen.start, self._ears))

    def _ready(self, start: Start, ears: Ears) -> Ready:
        limits = self._limits
        facts = self.worker.facts
        assert facts is not None, "the door is shut until the engine is open"
        return Ready(
            session=self.id,
            version=start.version,
            model=facts.name,
            engine=self.worker.engine_name,
            sample_rate=facts.sample_rate,
            latency_ms=facts.latency_ms,
            limits=Limits(
                message_bytes=limits.message_bytes,
                text_bytes=MAX_TEXT_BYTES,
                inbox_s=limits.inbox_s,
                idle_s=limits.idle_s,
                session_s=limits.session_s,
            ),
            decoder=ears.options.decoder,
            ignored=ears.ignored,
        )

    def _has_room(self) -> bool:
        """Whether to read on: always when closing, for then input is thrown away."""
        if self._is_closing:
            return True
        return not self._outbox.is_full and (self._ears is None or self._ears.has_room())

    async def _wait_for_room(self) -> None:
        self._is_waiting = True
        while not self._has_room():
            self._room.clear()
            await self._room.wait()
        self._is_waiting = False
        self._heard_at = self._waited_at = self._loop.time()  # it was we who did not listen

    # ---- out ----

    def _take(self, delivery: Delivery, channel: int) -> None:
        """Called on the loop with what the engine thread has for us."""
        for event in delivery.events:
            self._outbox.put(event, channel)
            if self._meter is not None:
                self._meter.tell(event)
        for key in delivery.flushed:
            self._outbox.put(Flushed(key), channel)  # type: ignore[arg-type]  # the key we gave
        for key, position in delivery.marked:
            self._outbox.put(Marked(key, position), channel)  # type: ignore[arg-type]
        if delivery.error is not None:
            self._fail(delivery.error)
        elif delivery.finished and self._listening.is_finished:
            self._outbox.put(self._closed())
            if self._meter is not None:
                self._meter.finish()
        self._room.set()

    async def _speak(self) -> None:
        """Send what is in the outbox, until the dialect hangs up."""
        try:
            while True:
                message, channel = await self._outbox.get()
                for reply in self._translate(message, channel):
                    self._sending_since = self._loop.time()
                    if isinstance(reply, Hangup):
                        await self._transport.close(reply.code, reply.reason)
                        return
                    await self._transport.send(reply)
                self._sending_since = None
                self._room.set()
        except OSError:
            return  # the client is gone: the listener hears of it too
        except Exception:
            log.exception("session %s: what happened cannot be told", self.id)
            self.cut()

    def _translate(self, message: Outgoing, channel: int) -> Iterable[Reply]:
        if isinstance(message, Say):
            return (message.frame,)
        return self._dialect.tell(message, channel)

    def _fail(self, error: Exception) -> None:
        """Tell the client what went wrong, as far as it is the client's business, and close."""
        self._is_closing = True
        if self._ears is not None:
            self._ears.cancel()
        if isinstance(error, StreamasrError):
            code = error.code
            if code not in ERRORS:
                code = "bad_field" if isinstance(error, UsageError) else "internal"
            told = Error(code, error.message, error.remedy)
        else:
            log.error("session %s failed", self.id, exc_info=error)
            told = Error("internal", "the server failed", f"its log names session {self.id}")
        self._reason = f"error {told.code}"
        self._outbox.put(told)

    def _closed(self) -> Closed:
        done = self._statistics
        audio_s = done.position / SAMPLE_RATE
        return Closed(
            reason=self._reason,
            position=done.position,
            audio_s=audio_s,
            utterances=done.utterances,
            words=done.words,
            compute_s=done.compute_s,
            rtf=done.compute_s / audio_s if audio_s else 0.0,
            worst_lag_ms=done.worst_lag_ms,
        )

    @property
    def _statistics(self) -> Statistics:
        total = replace(self._before)
        if self._ears is not None:
            self._ears.add_to(total)
        return total

    # ---- limits ----

    def _watch(self) -> None:
        """Check the limits and come back when the next one could be reached."""
        now = self._loop.time()
        limits = self._limits
        stall_at = limits.stall_s + (now if self._sending_since is None else self._sending_since)
        due = [stall_at]
        if not self._reason:
            idle_at = limits.idle_s + (now if self._is_waiting else self._heard_at)
            limit_at = limits.session_s + self._opened_at
            due += [idle_at, limit_at]
            if limit_at <= now:
                self.end("session_limit")
            elif idle_at <= now:
                self.end("idle")
        if stall_at <= now:
            log.warning("session %s: the client does not read, cut off", self.id)
            self.cut()
            return
        self._timer = self._loop.call_at(max(min(due), now + 0.01), self._watch)

    def _log_end(self) -> None:
        done = self._closed()
        if self._meter is not None:
            self._meter.close(self._reason, done.rtf)
        fields = {
            "session": self.id,
            "dialect": self._dialect.name,
            "peer": self._transport.peer,
            "reason": self._reason,
            "audio_s": round(done.audio_s, 3),
            "lasted_s": round(self._loop.time() - self._opened_at, 3),
            "utterances": done.utterances,
            "words": done.words,
            "rtf": round(done.rtf, 6),
            "worst_lag_ms": round(done.worst_lag_ms, 1),
        }
        log.info(
            "session %(session)s (%(dialect)s) from %(peer)s ended: %(reason)s; %(audio_s).1f s "
            "heard in %(lasted_s).1f s, %(utterances)d utterances, %(words)d words, rtf %(rtf).4f, "
            "worst lag %(worst_lag_ms).0f ms",
            fields,
            extra={"fields": fields},
        )
