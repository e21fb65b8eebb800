"""One connection: reads audio and controls, passes them to its lane, sends what comes back.

    session = Session(worker, settings, receive=receive, send=send, abort=abort, peer="...")
    await session.run()

Two tasks: the listener reads the socket, the speaker writes it; the engine thread's results
arrive by a plain call on the loop in between. Nothing here computes. What may pile up:

    socket -> inbox     limits.inbox_s of audio     the listener stops reading
    results -> outbox   limits.outbox_events        partials merge, the listener stops reading
    outbox -> socket    the transport's buffer      limits.stall_s, then the connection is cut

One timer a session watches the idle, stall and length limits, so a message costs no timer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from streamasr.core.audio import AudioDoor, PcmDecoder
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.hotwords import heat
from streamasr.core.messages import (
    ERRORS,
    MAX_TEXT_BYTES,
    REASONS,
    WAV,
    Closed,
    Error,
    Flush,
    Flushed,
    Limits,
    Ready,
    Start,
    WireError,
)
from streamasr.core.model import ModelFacts
from streamasr.core.options import StreamOptions, decoder_name, decoder_used
from streamasr.core.protocol import Dialogue, State, encode
from streamasr.core.wavstream import WavDoor
from streamasr.edge.lane import Delivery, Lane, Statistics
from streamasr.edge.outbox import Outbox
from streamasr.edge.settings import Settings, StreamSettings
from streamasr.edge.worker import EngineThread
from streamasr.errors import StreamasrError, UsageError

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WAV_BYTES_PER_S = 48_000 * 2 * 2
"""The header of a WAV file comes too late to size its inbox: 48 kHz stereo is assumed."""


class Session:
    """One websocket that was accepted, from `start` to the last message."""

    def __init__(
        self,
        worker: EngineThread,
        settings: Settings,
        *,
        receive: Receive,
        send: Send,
        abort: Callable[[], None],
        peer: str,
    ) -> None:
        self.id = secrets.token_hex(4)
        self._worker = worker
        self._settings = settings
        self._limits = settings.limits
        self._receive = receive
        self._send = send
        self._abort = abort
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._dialogue = Dialogue()
        self._outbox = Outbox(bound=settings.limits.outbox_events)
        self._lane: Lane | None = None  # set by start
        self._inbox_bytes = 0
        self._room = asyncio.Event()  # something changed: look again whether to read
        self._is_waiting = False  # the listener does not read for want of room
        self._opened_at = self._heard_at = self._loop.time()
        self._sending_since: float | None = None  # set while a send is under way
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""  # why the session ended, once that is decided

    async def run(self) -> None:
        """Serve the connection until it is over."""
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept"})
        self._watch()
        try:
            async with asyncio.TaskGroup() as tasks:
                speaker = tasks.create_task(self._speak(), name=f"speak {self.id}")
                await self._listen()
                speaker.cancel()  # the socket is closed: nobody can be spoken to
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._lane is not None:
                self._lane.cancel()
            self._log_end()

    def end(self, reason: str) -> None:
        """Take no more input, decode what was heard, send finals and ``closed``."""
        if self._reason:
            return
        self._reason = reason
        self._dialogue.close()
        if self._lane is not None:
            self._lane.finish()
        else:
            self._outbox.put(self._closed())
        self._room.set()

    def cut(self) -> None:
        """Drop the connection at once."""
        self._reason = self._reason or "cut"
        self._dialogue.close()
        self._room.set()
        self._abort()

    # ---- in ----

    async def _listen(self) -> None:
        """Read until the socket is closed, by whichever side."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._reason = self._reason or "gone"
                return
            self._heard_at = self._loop.time()
            data = message.get("bytes")
            try:
                if data is not None:
                    self._hear(data)
                else:
                    self._read(message["text"])
            except Exception as error:  # the boundary of a session: it ends, others go on
                self._fail(error)
            if not self._has_room():
                await self._wait_for_room()

    def _hear(self, data: bytes) -> None:
        if not self._dialogue.receive_audio():
            return
        if len(data) > self._limits.message_bytes:
            raise WireError(
                "too_big",
                f"an audio message holds {len(data)} bytes",
                remedy=f"at most {self._limits.message_bytes}: send smaller pieces",
            )
        assert self._lane is not None, "streaming begins with a lane"
        self._lane.audio(data)

    def _read(self, text: str) -> None:
        message = self._dialogue.receive_text(text)
        if message is None:
            return
        if isinstance(message, Start):
            self._start(message)
        elif isinstance(message, Flush):
            assert self._lane is not None, "streaming begins with a lane"
            self._lane.flush(message.id)
        else:
            self.end("stop")

    def _start(self, start: Start) -> None:
        facts = self._worker.facts
        assert facts is not None, "the door is shut until the engine is open"
        options, ignored = _options(start, self._settings.stream, facts)
        door, bytes_per_s = _door(start)
        self._inbox_bytes = int(self._limits.inbox_s * bytes_per_s)
        self._lane = self._worker.lane(door, options, self._take)
        self._outbox.put(self._ready(start, facts, options, ignored))

    def _ready(
        self, start: Start, facts: ModelFacts, options: StreamOptions, ignored: tuple[str, ...]
    ) -> Ready:
        limits = self._limits
        return Ready(
            session=self.id,
            version=start.version,
            model=facts.name,
            engine=self._worker.engine_name,
            sample_rate=facts.sample_rate,
            latency_ms=facts.latency_ms,
            limits=Limits(
                message_bytes=limits.message_bytes,
                text_bytes=MAX_TEXT_BYTES,
                inbox_s=limits.inbox_s,
                idle_s=limits.idle_s,
                session_s=limits.session_s,
            ),
            decoder=options.decoder,
            ignored=ignored,
        )

    def _has_room(self) -> bool:
        """Whether to read on: always when closing, for then input is thrown away."""
        if self._dialogue.state is State.CLOSING or self._lane is None:
            return True
        return not self._outbox.is_full and self._lane.ask_for_room(self._inbox_bytes)

    async def _wait_for_room(self) -> None:
        self._is_waiting = True
        while not self._has_room():
            self._room.clear()
            await self._room.wait()
        self._is_waiting = False
        self._heard_at = self._loop.time()  # it was we who did not listen

    # ---- out ----

    def _take(self, delivery: Delivery) -> None:
        """Called on the loop with what the engine thread has for us."""
        for event in delivery.events:
            self._outbox.put(event)
        for key in delivery.flushed:
            self._outbox.put(Flushed(key))  # type: ignore[arg-type]  # the key we gave
        if delivery.error is not None:
            self._fail(delivery.error)
        elif delivery.finished:
            self._outbox.put(self._closed())
        self._room.set()

    async def _speak(self) -> None:
        """Send what is in the outbox; the last message is followed by the close frame."""
        try:
            while True:
                message = await self._outbox.get()
                self._sending_since = self._loop.time()
                await self._send({"type": "websocket.send", "text": encode(message)})
                if isinstance(message, Closed | Error):
                    await self._send({"type": "websocket.close", **_close(message)})
                    return
                self._sending_since = None
                self._room.set()
        except OSError:
            return  # the client is gone: the listener hears of it too

    def _fail(self, error: Exception) -> None:
        """Tell the client what went wrong, as far as it is the client's business, and close."""
        self._dialogue.close()
        if self._lane is not None:
            self._lane.cancel()
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
        return self._lane.statistics if self._lane is not None else Statistics()

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
        log.info(
            "session %s from %s ended: %s; %.1f s heard in %.1f s, %d utterances, %d words, "
            "rtf %.4f, worst lag %.0f ms",
            self.id,
            self._peer,
            self._reason,
            done.audio_s,
            self._loop.time() - self._opened_at,
            done.utterances,
            done.words,
            done.rtf,
            done.worst_lag_ms,
        )


def _options(
    start: Start, defaults: StreamSettings, facts: ModelFacts
) -> tuple[StreamOptions, tuple[str, ...]]:
    """What the client chose, else what the operator set; and what cannot be honoured."""
    ignored = ["grammar"] if start.grammar else []
    decoder = decoder_name(start.decoder)
    if decoder == "graph" and facts.graph is None:
        ignored.append("decoder")
        decoder = "auto"
    decoder = decoder_used(facts, decoder)
    hot = None
    if start.hotwords and decoder == "graph" and facts.graph is not None:
        hot = heat(facts.graph, start.hotwords)
        ignored += [f"hotwords: {text}" for text in hot.unknown]
    elif start.hotwords:
        ignored.append("hotwords")
    chosen: dict[str, Any] = {}
    for name in ("endpoint_ms", "max_utterance_s", "vad"):
        value = getattr(start, name)
        chosen[name] = getattr(defaults, name) if value is None else value
    options = StreamOptions(
        partials=start.partials,
        words=start.words,
        decoder=decoder,
        hotwords=hot,
        **chosen,
    )
    return options, tuple(ignored)


def _door(start: Start) -> tuple[AudioDoor | WavDoor, int]:
    """The door for the declared audio, and its bytes a second."""
    if start.encoding == WAV:
        return WavDoor(), WAV_BYTES_PER_S
    frame_bytes = PcmDecoder(start.encoding, start.channels).frame_bytes
    door = AudioDoor(start.encoding, start.sample_rate, start.channels)
    return door, frame_bytes * start.sample_rate


def _close(message: Closed | Error) -> dict[str, Any]:
    """Close code and reason that follow from the last message."""
    if isinstance(message, Error):
        return {"code": ERRORS[message.code][0], "reason": message.code}
    return {"code": REASONS[message.reason][0], "reason": message.reason}
