"""The messages of the native wire protocol, its error codes and its close codes.

Each message is a frozen dataclass whose fields are the fields of its JSON object; the
five events of ``core.events`` are messages too. What the fields may hold is checked in
``core.protocol``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamasr.core.events import Event, Final, Gap, Partial, SpeechEnded, SpeechStarted
from streamasr.core.hotwords import HotWord
from streamasr.errors import PeerError

VERSIONS = (1,)
WAV = "wav"
OPUS = "opus"
"""A packet a message."""
CONTAINER = "container"
"""WAV, Ogg, WebM, FLAC, MP3 or MP4, as the first bytes tell."""
MAX_TEXT_BYTES = 64 * 1024
"""The longest text frame a client may send."""

ERRORS: dict[str, tuple[int, str]] = {
    "not_json": (4400, "a text frame is not a JSON object"),
    "unknown_type": (4404, "the server knows no message of that type"),
    "out_of_order": (4409, "the message does not belong here, such as audio before start"),
    "audio_format": (4415, "the audio is not what was declared"),
    "bad_field": (4422, "a field has the wrong type or lies out of range"),
    "unsupported_version": (4426, "the server does not speak that version"),
    "too_big": (1009, "a message is longer than the limit"),
    "busy": (1013, "the engine has no room for one more stream"),
    "internal": (1011, "the server failed; its log names the session"),
}
"""Error code -> (websocket close code, meaning)."""

REASONS: dict[str, tuple[int, str]] = {
    "stop": (1000, "the client asked"),
    "idle": (1000, "nothing arrived for the idle limit"),
    "session_limit": (1000, "the session reached its longest duration"),
    "drain": (1001, "the server is shutting down"),
}
"""Why a session closed -> (websocket close code, meaning)."""


class WireError(PeerError):
    """The peer broke the protocol; ``code`` is a key of `ERRORS`."""

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


# Client to server


@dataclass(frozen=True, slots=True)
class Start:
    """Opens the stream; None leaves a setting to the server."""

    version: int = 1
    encoding: str = "s16le"
    sample_rate: int = 16_000
    """Hertz; for WAV the header decides."""
    channels: int = 1
    """Mixed down to mono; for WAV the header decides."""
    partials: bool = True
    words: bool = True
    endpoint_ms: int | None = None
    max_utterance_s: float | None = None
    vad: bool | None = None
    decoder: str = "auto"
    hotwords: tuple[HotWord, ...] | None = None
    grammar: tuple[str, ...] = ()
    alternatives: int = 0
    punctuate: bool | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """End the open utterance now and say when that is done."""

    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the session."""


ClientMessage = Start | Flush | Stop

# Server to client, besides the five events


@dataclass(frozen=True, slots=True)
class Limits:
    """What this server allows a session."""

    message_bytes: int
    text_bytes: int
    inbox_s: float
    """Audio taken ahead of recognition before the server stops reading."""
    idle_s: float
    session_s: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The answer to ``start``."""

    session: str
    version: int
    model: str
    engine: str
    sample_rate: int
    """Positions in events count samples at this rate, whatever rate the audio has."""
    latency_ms: float
    """Algorithmic latency of the model."""
    limits: Limits
    decoder: str = "greedy"
    """What makes words: greedy or graph."""
    ignored: tuple[str, ...] = ()
    """Fields of ``start`` that this server cannot honour."""


@dataclass(frozen=True, slots=True)
class Flushed:
    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The session ends here; the close code follows from ``code``."""

    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last message of a session that ended in order."""

    reason: str
    position: int
    """Samples heard, at the rate of ``ready``."""
    audio_s: float
    utterances: int
    words: int
    compute_s: float
    """The session's share of the engine thread's time."""
    rtf: float
    worst_lag_ms: float
    """The most audio that ever waited, received but not yet recognised."""


ServerMessage = Ready | Event | Flushed | Error | Closed

CLIENT_TYPES: dict[str, type[Any]] = {"start": Start, "flush": Flush, "stop": Stop}
SERVER_TYPES: dict[str, type[Any]] = {
    "ready": Ready,
    "speech_started": SpeechStarted,
    "partial": Partial,
    "final": Final,
    "speech_ended": SpeechEnded,
    "gap": Gap,
    "flushed": Flushed,
    "error": Error,
    "closed": Closed,
}
NAMES = {cls: name for name, cls in (CLIENT_TYPES | SERVER_TYPES).items()}
