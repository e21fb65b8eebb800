"""What a dialect is: one protocol's messages, translated to and from what a session does.

A dialect does no I/O and knows no clock. The session gives it every frame that arrives and
does the actions that come back; it gives it everything that there is to tell and sends the
frames that come back:

    frame  -> dialect.receive(frame)           -> Listen, Hear, Flush, Mark, Clear, Say, Stop
    event  -> dialect.tell(message, channel)   -> text, bytes, Hangup

A frame that makes no sense raises WireError: the session then tells the dialect an `Error`,
which ends it. Where a protocol goes on after a mistake, its dialect answers with `Say`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from streamasr.core.messages import (
    CONTAINER,
    MAX_TEXT_BYTES,
    OPUS,
    ServerMessage,
    Start,
    Stop,
    WireError,
)
from streamasr.errors import PeerError

# What a session is asked to do

# Encodings of `Listen`: `OPUS` is packets, each after its length in two bytes, big end first;
# `CONTAINER` a file of which the first bytes tell what it is.
OGG = "ogg"
"""Opus in Ogg."""
MOST_PACKET_BYTES = 2**16 - 1


def opus_packet(frame: bytes) -> bytes:
    """A packet of Opus with its length before it, which alone will tell its end from here on."""
    if len(frame) > MOST_PACKET_BYTES:
        raise WireError("audio_format", f"a packet of {len(frame)} bytes is not Opus")
    return len(frame).to_bytes(2) + frame if frame else b""


@dataclass(frozen=True, slots=True)
class Listen:
    """Open the stream, in place of the one before."""

    start: Start
    apart: bool = False
    """Each channel is a speaker of its own, told apart by ``channel``."""
    preroll_ms: int | None = None
    """Audio decoded from before speech was noticed; None leaves it to the recogniser."""
    partial_words: bool = False
    """Partials are told with their words."""


@dataclass(frozen=True, slots=True)
class Hear:
    """Recognise audio, in the encoding of the last `Listen`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Flush:
    """End the open utterance; `Flushed` tells when its final was told."""

    key: str | int | None = None
    channel: int | None = None
    """None ends it in all channels, each of which tells so."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Come back as `Marked` once all audio so far is decoded, except what may be silence."""

    key: str | int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget the audio that is not decoded and the open utterance."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a frame after what was told before."""

    frame: str | bytes


Action = Listen | Hear | Flush | Mark | Clear | Say | Stop

# What a dialect is told, and what it answers with


@dataclass(frozen=True, slots=True)
class Marked:
    """A `Mark` was reached."""

    key: str | int | None
    position: int
    """Samples received before it, at 16 kHz."""


Told = ServerMessage | Marked


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection; the code means something to websockets only."""

    code: int = 1000
    reason: str = ""


Reply = str | bytes | Hangup

NOTHING: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a client before it says anything."""

    session: str = ""
    """The session's name in the log: eight hexadecimal digits."""
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subprotocols: Sequence[str] = ()
    beta: str = ""
    """The header OpenAI-Beta."""
    model: str = ""
    created: str = ""
    """When it came: ISO 8601 with milliseconds, UTC."""


class Dialect(Protocol):
    """The translation of one session; raises WireError for what its protocol does not allow."""

    name: ClassVar[str]
    """In logs and metrics."""
    text_bytes: ClassVar[int]
    """The longest text frame."""

    @property
    def streams(self) -> int:
        """The most that it has recognised at a time."""
        ...

    def greet(self) -> Sequence[Action]:
        """What to do before anything arrives."""
        ...

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        """Take a frame: text, or bytes."""
        ...

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        """Put what happened into frames; a `Hangup` ends the session."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not granted, sent as HTTP before anything else."""

    status: int
    code: str
    message: str
    remedy: str = ""


class Refused(PeerError):
    """A request asks for what its dialect does not grant."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message, remedy=refusal.remedy)
        self.refusal = refusal


Answer = tuple[Mapping[str, str], Mapping[str, Any]]
"""Headers and JSON body of a refusal."""


def plain_answer(refusal: Refusal, request: Request) -> Answer:
    """A refusal as our own protocol tells it."""
    body = {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}
    return {}, body


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a dialect is spoken over websockets, and how its sessions begin."""

    path: str
    open: Callable[[Request], Dialect]
    """Raises Refused."""
    answer: Callable[[Refusal, Request], Answer] = plain_answer
    subprotocols: tuple[str, ...] = ()
    """Those to accept when the client offers them."""
    headers: Callable[[Request], Mapping[str, str]] = lambda request: {}
    """Of the answer that opens the websocket."""


__all__ = [
    "CONTAINER",
    "MAX_TEXT_BYTES",
    "NOTHING",
    "OGG",
    "OPUS",
    "Action",
    "Answer",
    "Clear",
    "Dialect",
    "Entrance",
    "Flush",
    "Hangup",
    "Hear",
    "Listen",
    "Mark",
    "Marked",
    "Refusal",
    "Refused",
    "Reply",
    "Request",
    "Say",
    "Start",
    "Stop",
    "Told",
    "opus_packet",
    "plain_answer",
]
