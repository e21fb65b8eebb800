"""Many paced clients of the native protocol in one cheap process, as a microphone would pace them.

A client opens a session, sends a programme in messages of 100 ms, each when its last sample
would have been spoken, says stop, waits for the end and begins again. Websocket frames are
made once for all clients (their mask is zero, which is legal), so 250 clients take about a
tenth of a core. What is measured, in seconds:

    first      from sending the first sample of speech (as the server dates it) to a partial
    lag        from sending the last sample that a partial tells of to its arrival
    stop       from sending stop to the final that it brings, or to the end where there is none
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MESSAGE = 1600
"""Samples of a message: 100 ms."""
TICK_S = 0.005
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
RETRY_S = 2.0
"""After a refusal."""
PATIENCE_S = 30.0
"""What an answer may take before the session counts as an error."""


def frame(kind: int, payload: bytes) -> bytes:
    """A client's frame with a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | kind, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 0xFF, size)
    return head + b"\0\0\0\0" + payload


@dataclass(frozen=True, slots=True)
class Programme:
    """What a client says in one session."""

    name: str
    frames: tuple[bytes, ...]
    samples: int

    @classmethod
    def of(cls, name: str, pcm: bytes) -> Programme:
        size = 2 * MESSAGE
        pieces = [pcm[start : start + size] for start in range(0, len(pcm), size)]
        return cls(name, tuple(frame(BINARY, piece) for piece in pieces), len(pcm) // 2)


@dataclass(slots=True)
class Figures:
    """What all clients saw together."""

    first: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    stop: list[float] = field(default_factory=list)
    audio_s: float = 0.0
    sessions: int = 0
    refused: int = 0
    """Sessions that were not let in."""
    errors: Counter[str] = field(default_factory=Counter)
    texts: dict[str, Counter[str]] = field(default_factory=dict)
    """Name of a programme -> its finals -> in how many sessions."""
    late: list[float] = field(default_factory=list)
    """How late messages were sent, seconds: the load's own fault."""


class Client(asyncio.Protocol):
    """One session on one connection."""

    def __init__(
        self,
        address: tuple[str, int, str],
        start: bytes,
        programme: Programme,
        figures: Figures,
        clock: Callable[[], float],
    ) -> None:
        self._host = f"{address[0]}:{address[1]}"
        self._path = address[2]
        self._start = start
        self._programme = programme
        self._figures = figures
        self._clock = clock
        self._buffer = bytearray()
        self._is_open = False  # the handshake is done
        self.is_ready = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._began = 0.0  # when the first message was due
        self._sent = 0
        self._stopped_at: float | None = None
        self._speech_at: int | None = None  # sample where the open utterance began to sound
        self._is_timed = False  # this session's `stop` was measured
        self._finals: list[str] = []
        self.retry_at = 0.0  # not before this may the next session be tried

    # ---- the connection ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self._end("connection lost")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                status = head.split(b" ", 2)[1].decode()
                if status == "503":  # no room: come again, as the answer says
                    self._figures.refused += 1
                    self.retry_at = self._clock() + RETRY_S
                    self._end()
                else:
                    self._end(f"refused {status}")
                return
            self._buffer = bytearray(rest)
            self._is_open = True
            self._write(self._start)
        for kind, payload in self._frames():
            if kind == TEXT:
                self._hear(json.loads(payload))
            elif kind == PING:
                self._write(frame(PONG, payload))

    def _frames(self) -> list[tuple[int, bytes]]:
        found, buffer, at = [], self._buffer, 0
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1] & 0x7F, 2
            if size == 126:
                head = 4
                if len(buffer) - at < head:
                    break
                (size,) = struct.unpack_from("!H", buffer, at + 2)
            elif size == 127:
                head = 10
                if len(buffer) - at < head:
                    break
                (size,) = struct.unpack_from("!Q", buffer, at + 2)
            if len(buffer) - at < head + size:
                break
            found.append((buffer[at] & 0x0F, bytes(buffer[at + head : at + head + size])))
            at += head + size
        del buffer[:at]
        return found

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, fault: str = "") -> None:
        if self.done.done():
            return
        if fault:
            self._figures.errors[fault] += 1
        self.done.set_result(None)
        if self._transport is not None:
            self._transport.abort()

    # ---- the session ----

    def send_due(self, now: float) -> None:
        """Send what is due by now."""
        if not self.is_ready or self._stopped_at is not None or self.done.done():
            return
        while now >= (due := self._began + 0.1 * (self._sent + 1)):
            if self._sent == len(self._programme.frames):
                self._write(frame(TEXT, b'{"type":"stop"}'))
                self._stopped_at = now
                return
            self._write(self._programme.frames[self._sent])
            self._figures.late.append(now - due)
            self._sent += 1

    def _sent_at(self, sample: int) -> float:
        """When the message with a sample was to be sent."""
        return self._began + 0.1 * (max(0, sample) // MESSAGE + 1)

    def _hear(self, message: dict[str, object]) -> None:
        now, figures = self._clock(), self._figures
        match message["type"]:
            case "ready":
                self._began = now
                self.is_ready = True
            case "speech_started":
                self._speech_at = int(message["at"])  # type: ignore[call-overload]
            case "partial":
                if self._speech_at is not None:
                    figures.first.append(now - self._sent_at(self._speech_at))
                    self._speech_at = None
                told = int(message["end"])  # type: ignore[call-overload]
                figures.lag.append(now - self._sent_at(told - 1))
            case "final":
                self._finals.append(str(message["text"]))
                if self._stopped_at is not None and not self._is_timed:
                    figures.stop.append(now - self._stopped_at)
                    self._is_timed = True
            case "error":
                self._end(f"error {message['code']}")
            case "closed":
                if self._stopped_at is None:
                    self._end(f"closed {message['reason']}")
                    return
                if not self._is_timed:
                    figures.stop.append(now - self._stopped_at)
                figures.sessions += 1
                figures.audio_s += self._programme.samples / 16_000
                texts = figures.texts.setdefault(self._programme.name, Counter())
                texts[" | ".join(self._finals)] += 1
                self._end()

    def is_overdue(self, now: float) -> bool:
        return self._stopped_at is not None and now - self._stopped_at > PATIENCE_S

    def give_up(self) -> None:
        self._end("no answer")

    def drop(self) -> None:
        """Leave without a word; not an error."""
        self._end()


async def one(address: tuple[str, int, str], start: bytes, programme: Programme) -> Figures:
    """One session by itself."""
    figures = Figures()
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(address, start, programme, figures, loop.time), *address[:2]
    )
    while not client.done.done():
        client.send_due(loop.time())
        await asyncio.sleep(TICK_S)
    return figures


def address_of(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port, parts.path or "/v1/stream"


async def load(
    url: str,
    streams: int,
    seconds: float,
    programmes: Sequence[Programme],
    *,
    warm_s: float = 5.0,
    seed: int = 0,
    **options: object,
) -> Figures:
    """Hold ``streams`` clients busy; figures count from ``warm_s`` after the last one came."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    address = address_of(url)
    start = frame(TEXT, json.dumps({"type": "start", **options}).encode())
    figures = Figures()
    clients: dict[int, Client | None] = {}
    ramp_s = max(2.0, streams / 50)
    entries = sorted(rng.uniform(0, ramp_s) for _ in range(streams))
    began = loop.time()
    until = began + ramp_s + warm_s + seconds
    is_counting = False
    opening: set[asyncio.Task[None]] = set()

    async def enter(number: int) -> None:
        client = Client(address, start, rng.choice(programmes), figures, loop.time)
        try:
            await loop.create_connection(lambda: client, *address[:2])
        except OSError as error:
            figures.errors[type(error).__name__] += 1
            await asyncio.sleep(0.2)
            client.drop()
        clients[number] = client

    while (now := loop.time()) < until:
        if not is_counting and now > began + ramp_s + warm_s:
            is_counting = True
            figures.first.clear(), figures.lag.clear(), figures.stop.clear(), figures.late.clear()
            figures.audio_s, figures.sessions, figures.refused = 0.0, 0, 0
        for number in range(streams):
            client = clients.get(number)
            if number not in clients:
                if now - began < entries[number]:
                    break
            elif client is None:
                continue
            elif not client.done.done():
                client.send_due(now)
                if client.is_overdue(now):
                    client.give_up()
                continue
            elif now < client.retry_at:
                continue
            clients[number] = None
            task = asyncio.create_task(enter(number))
            opening.add(task)
            task.add_done_callback(opening.discard)
        await asyncio.sleep(max(0.0, TICK_S - (loop.time() - now)))
    for client in clients.values():
        if client is not None:
            client.drop()
    await asyncio.gather(*opening, return_exceptions=True)
    return figures
