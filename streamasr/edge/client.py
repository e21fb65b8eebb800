"""The reference client of the native protocol.

    async with connect("ws://127.0.0.1:2700", sample_rate=48_000) as client:
        await client.send(block)
        closed = await client.stop()
        async for event in client:
            ...

    transcript = await transcribe("ws://127.0.0.1:2700", blocks)

A client reads in the background, so sending never waits for whoever looks at the events:
an event that nobody has taken yet waits here, and partials that wait are merged. Errors are
those of ``streamasr.errors``: UsageError when the call was wrong, OverloadError when the
server has no room, PeerError when it broke off.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from streamasr.core.audio import ENCODINGS, PcmDecoder
from streamasr.core.events import Event, Final, Gap, Partial, SpeechEnded, SpeechStarted
from streamasr.core.hotwords import HotWord
from streamasr.core.messages import Closed, Error, Flush, Flushed, Ready, Start, Stop, WireError
from streamasr.core.options import DecoderName
from streamasr.core.protocol import decode_server, encode
from streamasr.edge.outbox import Outbox
from streamasr.errors import (
    AudioFormatError,
    OverloadError,
    PeerError,
    StreamasrError,
    UsageError,
)

DEFAULT_PATH = "/v1/stream"
WAITING_EVENTS = 1024
"""Only a mark: nothing is refused beyond it."""

_FAULTS: dict[str, type[StreamasrError]] = {
    "audio_format": AudioFormatError,
    "bad_field": UsageError,
    "too_big": UsageError,
    "out_of_order": UsageError,
    "busy": OverloadError,
    "not_ready": OverloadError,
    "token": UsageError,
    "origin": UsageError,
}
"""Whose fault an error code is, seen from the client; any other is the peer's."""


class Client:
    """An open session; made by `connect`."""

    def __init__(self, socket: ClientConnection, ready: Ready) -> None:
        self.ready = ready
        """What the server answered to ``start``."""
        self.closed: Closed | None = None
        """The server's statistics, once the session has ended in order."""
        self._socket = socket
        self._events = Outbox(bound=WAITING_EVENTS)
        self._flushes = 0
        self._flushed: dict[object, asyncio.Future[None]] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"client {ready.session}")

    async def send(self, audio: bytes) -> None:
        """Send audio in the declared encoding, any number of bytes.

        Waits while the server does not read; raises what ended the session, if it is over.
        """
        await self._write(audio)

    async def flush(self) -> None:
        """End the open utterance; returns when its final is among the events."""
        self._flushes += 1
        done = asyncio.get_running_loop().create_future()
        self._flushed[self._flushes] = done
        await self._write(encode(Flush(id=self._flushes)))
        await asyncio.wait([done, self._over], return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            self._raise_end()

    async def stop(self) -> Closed:
        """Say that no more audio comes; returns when everything is recognised.

        The events up to there can still be read from the client.
        """
        if not self._over.done():
            with contextlib.suppress(PeerError):  # it may be over by now: see below
                await self._write(encode(Stop()))
            await asyncio.wait([self._over])
        if self.closed is None:
            self._raise_end()
        assert self.closed is not None
        return self.closed

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events until the session ends; raises what ended it out of order."""
        while True:
            message, _ = await self._events.get()
            match message:
                case SpeechStarted() | Partial() | Final() | SpeechEnded() | Gap():
                    yield message
                case Closed():
                    self._events.put(message)  # for the next reader
                    return
                case _:
                    self._events.put(message)
                    self._raise_end()

    async def close(self) -> None:
        """Leave at once, whether or not everything is recognised."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()
        if not self._over.done():
            self._break(PeerError("the connection was closed by this side"))
        self._over.exception()  # seen: whoever cares was told

    async def _read(self) -> None:
        try:
            while self.closed is None:
                message = decode_server(await self._socket.recv(decode=False))
                match message:
                    case Flushed(id=key):
                        if (done := self._flushed.pop(key, None)) is not None:
                            done.set_result(None)
                    case Closed():
                        self.closed = message
                    case Error():
                        raise _fault(message.code, message.message, message.remedy)
                    case Ready():
                        raise PeerError("the server said ready twice")
                    case _:
                        self._events.put(message)
            self._events.put(self.closed)
            self._over.set_result(None)
        except ConnectionClosed as error:
            self._break(_broken(error))
        except StreamasrError as error:
            self._break(error)

    def _break(self, error: StreamasrError) -> None:
        self._events.put(Error(error.code, error.message, error.remedy))
        self._over.set_exception(error)

    async def _write(self, data: str | bytes) -> None:
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            await asyncio.wait([self._over], timeout=1)
            self._raise_end(error)

    def _raise_end(self, cause: Exception | None = None) -> None:
        """Raise what ended the session: the server's own words if it had any."""
        error = self._over.exception() if self._over.done() else None
        if isinstance(error, StreamasrError):
            raise type(error)(*_arguments(error), remedy=error.remedy) from cause
        if self.closed is not None:
            raise PeerError(f"the server closed the session: {self.closed.reason}") from cause
        raise PeerError("the server closed the connection") from cause


def _arguments(error: StreamasrError) -> tuple[str, ...]:
    return (error.code, error.message) if isinstance(error, WireError) else (error.message,)


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    token: str = "",
    encoding: str = "s16le",
    sample_rate: int = 16_000,
    channels: int = 1,
    partials: bool = True,
    words: bool = True,
    endpoint_ms: int | None = None,
    max_utterance_s: float | None = None,
    vad: bool | None = None,
    decoder: DecoderName = "auto",
    hotwords: Sequence[str | HotWord] | None = None,
    grammar: Sequence[str] = (),
    alternatives: int = 0,
    punctuate: bool | None = None,
    open_timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """Open a session; ``url`` is ws:// or wss:// and needs no path.

    Raises UsageError for a wrong URL, argument or token, OverloadError when the server has no
    room, PeerError when nobody answers there.
    """
    start = Start(
        encoding=encoding,
        sample_rate=sample_rate,
        channels=channels,
        partials=partials,
        words=words,
        endpoint_ms=endpoint_ms,
        max_utterance_s=max_utterance_s,
        vad=vad,
        decoder=decoder,
        hotwords=_hotwords(hotwords),
        grammar=tuple(grammar),
        alternatives=alternatives,
        punctuate=punctuate,
    )
    socket = await _open(_address(url), token, open_timeout_s, tls)
    try:
        try:
            async with asyncio.timeout(open_timeout_s):
                ready = await _begin(socket, start)
        except TimeoutError as error:
            raise PeerError(f"{url} did not answer for {open_timeout_s:g} s") from error
        if ready is None:
            raise PeerError(f"{url} did not say ready")
        client = Client(socket, ready)
        try:
            yield client
        finally:
            await client.close()
    finally:
        await socket.close()


async def _begin(socket: ClientConnection, start: Start) -> Ready | None:
    """Ask for a session; None where the answer is neither ready nor an error."""
    try:
        with contextlib.suppress(ConnectionClosed):  # the server may have said why
            await socket.send(encode(start))
        answer = decode_server(await socket.recv(decode=False))
    except ConnectionClosed as error:
        raise _broken(error) from error
    if isinstance(answer, Error):
        raise _fault(answer.code, answer.message, answer.remedy)
    return answer if isinstance(answer, Ready) else None


def _hotwords(items: Sequence[str | HotWord] | None) -> tuple[HotWord, ...] | None:
    if items is None:
        return None
    return tuple(HotWord(item) if isinstance(item, str) else item for item in items)


def _address(url: str) -> str:
    """Add the default path to a URL without one."""
    try:
        parts = urlsplit(url)
        is_websocket = parts.scheme in ("ws", "wss") and bool(parts.hostname)
    except ValueError:
        is_websocket = False
    if not is_websocket:
        raise UsageError(f"{url} is no websocket address", remedy="such as ws://127.0.0.1:2700")
    return urlunsplit(parts._replace(path=DEFAULT_PATH)) if parts.path in ("", "/") else url


async def _open(
    url: str, token: str, timeout_s: float, tls: ssl.SSLContext | None
) -> ClientConnection:
    options: dict[str, Any] = {"ssl": tls} if tls is not None else {}
    try:
        return await open_websocket(
            url,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            compression=None,
            open_timeout=timeout_s,
            ping_interval=None,
            close_timeout=2,
            max_size=None,
            proxy=None,
            **options,
        )
    except InvalidURI as error:
        raise UsageError(f"{url} is no websocket address") from error
    except InvalidStatus as error:
        raise _refused(error) from error
    except InvalidHandshake as error:
        raise PeerError(f"{url} does not speak websocket: {error}") from error
    except (OSError, TimeoutError) as error:
        reason = str(error) or "no answer"
        raise PeerError(f"cannot reach {url}: {reason}", remedy="is the server running?") from error


def _refused(error: InvalidStatus) -> StreamasrError:
    """What the door said: JSON if it is ours."""
    response = error.response
    try:
        body = json.loads(response.body or b"")
        return _fault(body["code"], body["message"], body["remedy"])
    except (ValueError, KeyError, TypeError):
        return PeerError(f"the server refused with HTTP {response.status_code}")


def _fault(code: str, message: str, remedy: str) -> StreamasrError:
    kind = _FAULTS.get(code)
    if kind is None:
        return WireError(code, message, remedy=remedy)
    return kind(message, remedy=remedy)


def _broken(error: ConnectionClosed) -> PeerError:
    close = error.rcvd
    if close is None:
        return PeerError("the connection broke off")
    return PeerError(f"the server closed the connection: {close.code} {close.reason}".rstrip())


@dataclass(frozen=True, slots=True)
class Transcript:
    """What `transcribe` heard."""

    finals: tuple[Final, ...]
    closed: Closed

    @property
    def text(self) -> str:
        return " ".join(final.text for final in self.finals)


async def transcribe(
    url: str,
    chunks: Iterable[bytes] | AsyncIterable[bytes],
    *,
    realtime: bool = False,
    on_event: Callable[[Event], None] | None = None,
    **options: Any,
) -> Transcript:
    """Send all chunks and return the finals; ``options`` are those of `connect`.

    ``realtime`` paces raw audio as a microphone would, each chunk when its last sample would
    have been spoken. Raises as `connect` does.
    """
    bytes_per_s = _bytes_per_s(options) if realtime else 0.0
    finals: list[Final] = []
    async with connect(url, **options) as client:

        async def listen() -> None:
            async for event in client:
                if isinstance(event, Final):
                    finals.append(event)
                if on_event is not None:
                    on_event(event)

        listening = asyncio.create_task(listen(), name="listen")
        try:
            await _send_all(client, chunks, bytes_per_s)
            closed = await client.stop()
            await listening
        finally:
            listening.cancel()
            await asyncio.wait([listening])
    return Transcript(tuple(finals), closed)


def _bytes_per_s(options: dict[str, Any]) -> float:
    encoding = options.get("encoding", "s16le")
    if encoding not in ENCODINGS:
        raise UsageError(f"{encoding} audio cannot be paced", remedy="send it as raw audio")
    frame_bytes = PcmDecoder(encoding, options.get("channels", 1)).frame_bytes
    return float(frame_bytes * options.get("sample_rate", 16_000))


async def _send_all(
    client: Client, chunks: Iterable[bytes] | AsyncIterable[bytes], bytes_per_s: float
) -> None:
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    async for chunk in _iterate(chunks):
        sent += len(chunk)
        if bytes_per_s:
            await asyncio.sleep(began + sent / bytes_per_s - loop.time())
        await client.send(chunk)


async def _iterate(chunks: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
