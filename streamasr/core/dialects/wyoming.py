"""Wyoming, the protocol of Home Assistant's voice services.

An event is a line of JSON, then as many bytes of JSON data and of payload as that announces:

    {"type": "audio-chunk", "data_length": 45, "payload_length": 2048}\\n{"rate": ...}<audio>

A client says ``transcribe``, ``audio-start``, ``audio-chunk`` ..., ``audio-stop``, and gets one
``transcript``; before that come the pieces of it, for those who show text as it is spoken.
All lengths are bounded. A mistake in the framing ends the connection with an ``error``;
anything else that makes no sense is answered with one, and the connection goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from streamasr.core.audio import HIGHEST_RATE, LOWEST_RATE
from streamasr.core.dialects import (
    MAX_TEXT_BYTES,
    NOTHING,
    Action,
    Clear,
    Flush,
    Hangup,
    Hear,
    Listen,
    Mark,
    Marked,
    Reply,
    Request,
    Say,
    Told,
)
from streamasr.core.dialects.growing import Growing
from streamasr.core.events import Final, Partial
from streamasr.core.messages import Closed, Error, Flushed, Ready, Start, WireError

VERSION = "1.8.0"
"""Of the protocol as it is spoken here."""
MOST_LINE_BYTES = 64 * 1024
MOST_DATA_BYTES = 64 * 1024
MOST_PAYLOAD_BYTES = 1024 * 1024
ENCODINGS = {2: "s16le", 3: "s24le", 4: "s32le"}
"""Bytes of a sample -> encoding."""
MOST_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Event:
    """A message of either side."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class EventReader:
    """Bytes, cut anyhow, to events."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = 0  # bytes of the event that has begun, as far as is known

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that are complete; raises WireError for what is none."""
        self._held += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        if len(self._held) < max(self._needed, 1):
            return None
        end = self._held.find(b"\n", 0, MOST_LINE_BYTES + 1)
        if end < 0:
            if len(self._held) > MOST_LINE_BYTES:
                raise WireError("too_big", f"a line is longer than {MOST_LINE_BYTES} bytes")
            return None
        head = _object(self._held[:end])
        data_at = end + 1
        payload_at = data_at + _length(head, "data_length", MOST_DATA_BYTES)
        self._needed = payload_at + _length(head, "payload_length", MOST_PAYLOAD_BYTES)
        if len(self._held) < self._needed:
            return None
        kind, given = head.get("type"), head.get("data") or {}
        more = _object(self._held[data_at:payload_at]) if payload_at > data_at else {}
        if not isinstance(kind, str) or not isinstance(given, dict):
            raise WireError("not_json", "an event needs a type, and its data is an object")
        payload = bytes(self._held[payload_at : self._needed])
        del self._held[: self._needed]
        self._needed = 0
        return Event(kind, given | more, payload)


def write(event: Event) -> bytes:
    """An event as bytes."""
    data = json.dumps(event.data, ensure_ascii=False).encode() if event.data else b""
    head: dict[str, Any] = {"type": event.type, "version": VERSION}
    if data:
        head["data_length"] = len(data)
    if event.payload:
        head["payload_length"] = len(event.payload)
    return json.dumps(head).encode() + b"\n" + data + event.payload


class Wyoming:
    """One connection: any number of questions and utterances, one after the other."""

    name: ClassVar[str] = "wyoming"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES
    streams = 1

    def __init__(self, request: Request) -> None:
        self._model = request.model
        self._reader = EventReader()
        self._format: tuple[int, int, int] | None = None  # of the utterance that is open
        self._heard: tuple[int, int, int] | None = None  # of the last one that was listened to
        self._unanswered = 0  # utterances that are over and have no transcript yet
        # of what is told
        self._texts: list[str] = []
        self._growing = Growing()

    def greet(self) -> Sequence[Action]:
        return NOTHING

    # ---- in ----

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        assert isinstance(frame, bytes), "there is no text on this line"
        actions: list[Action] = []
        for event in self._reader.feed(frame):
            actions += self._handle(event)
        return actions

    def _handle(self, event: Event) -> Sequence[Action]:
        match event.type:
            case "describe":
                return [Say(write(self._info()))]
            case "ping":
                text = event.data.get("text")
                return [Say(write(Event("pong", {"text": text} if text is not None else {})))]
            case "transcribe":
                return self._check(event.data)
            case "audio-start":
                return self._start(event.data)
            case "audio-chunk":
                return self._chunk(event)
            case "audio-stop":
                return self._stop()
            case kind:
                return [_complain("unsupported", f"{kind[:60]!r} is not a service of this server")]

    def _check(self, data: Mapping[str, Any]) -> Sequence[Action]:
        language, name = data.get("language"), data.get("name")
        if language and str(language).lower().replace("_", "-").partition("-")[0] != "en":
            text = f"{str(language)[:20]!r} is not available: this server knows English"
            return [_complain("unsupported-language", text)]
        if name and name != self._model:
            text = f"{str(name)[:60]!r} is not here, {self._model!r} is"
            return [_complain("unsupported-model", text)]
        return NOTHING

    def _start(self, data: Mapping[str, Any]) -> Sequence[Action]:
        rate, width, channels = (data.get(name) for name in ("rate", "width", "channels"))
        if type(rate) is not int or not LOWEST_RATE <= rate <= HIGHEST_RATE:
            return self._refuse(f"rate must be a whole number, {LOWEST_RATE} to {HIGHEST_RATE}")
        if type(width) is not int or width not in ENCODINGS:
            return self._refuse("width must be 2, 3 or 4 bytes")
        if type(channels) is not int or not 1 <= channels <= MOST_CHANNELS:
            return self._refuse(f"channels must be 1 to {MOST_CHANNELS}")
        form = (rate, width, channels)
        if form == self._heard:
            actions = self._forget()  # what was said since the last start, if it has no stop
            self._format = form
            return actions
        if self._unanswered:
            return self._refuse("the format may change when the last transcript has come")
        self._format = self._heard = form
        return [Listen(Start(encoding=ENCODINGS[width], sample_rate=rate, channels=channels))]

    def _chunk(self, event: Event) -> Sequence[Action]:
        actions: Sequence[Action] = NOTHING
        names = ("rate", "width", "channels")
        told = tuple(event.data.get(name) for name in names)
        if self._format is None:  # some clients do not say audio-start
            actions = self._start(event.data)
        if self._format is None:
            return actions
        if any(name in event.data for name in names) and told != self._format:
            return self._refuse("a chunk has another format than the audio before it")
        return [*actions, Hear(event.payload)]

    def _stop(self) -> Sequence[Action]:
        if self._format is None:
            return [Say(frame) for frame in self._transcript()]
        self._format = None
        self._unanswered += 1
        return [Flush()]

    def _refuse(self, message: str) -> Sequence[Action]:
        return [*self._forget(), _complain("audio-format", message)]

    def _forget(self) -> Sequence[Action]:
        """Drop the utterance that is open."""
        was_open, self._format = self._format is not None, None
        return [Clear(), Mark()] if was_open else NOTHING

    # ---- out ----

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        match message:
            case Ready() | Marked():
                self._texts, self._growing = [], Growing()
            case Partial(text=text):
                yield from self._grow([*self._texts, text])
            case Final(text=text):
                self._texts.append(text)
                yield from self._grow(self._texts)
            case Flushed():
                self._unanswered -= 1
                yield from self._transcript()
            case Closed():
                if self._texts:
                    yield from self._transcript()
                yield Hangup()
            case Error(code=code, message=text):
                yield write(Event("error", {"text": text, "code": code}))
                yield Hangup()
            case _:
                pass

    def _grow(self, texts: Sequence[str]) -> Iterator[bytes]:
        is_first = not self._growing.sent
        if new := self._growing.grow(" ".join(texts)):
            if is_first:
                yield write(Event("transcript-start", {"language": "en"}))
            yield write(Event("transcript-chunk", {"text": new}))

    def _transcript(self) -> Iterator[bytes]:
        """The whole text, which holds, and the end of its pieces."""
        text, is_begun = " ".join(self._texts), bool(self._growing.sent)
        self._texts, self._growing = [], Growing()
        yield write(Event("transcript", {"text": text, "language": "en"}))
        if is_begun:
            yield write(Event("transcript-stop"))

    def _info(self) -> Event:
        maker = {"name": "streamasr", "url": ""}
        model = {
            "name": self._model,
            "description": "English",
            "attribution": maker,
            "installed": True,
            "version": "1",
            "languages": ["en"],
        }
        program = {
            "name": "streamasr",
            "description": "Live speech to text",
            "attribution": maker,
            "installed": True,
            "version": "1",
            "models": [model],
            "supports_transcript_streaming": True,
            "requires_external_vad": True,
            "prefers_auto_gain_enabled": False,
            "prefers_noise_reduction_enabled": False,
        }
        return Event("info", {"asr": [program]})


def _object(text: bytes | bytearray) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise WireError("not_json", "an event is not a JSON object")
    return value


def _length(head: Mapping[str, Any], name: str, most: int) -> int:
    value = head.get(name)
    if value is None:
        return 0
    if type(value) is not int or value < 0:
        raise WireError("bad_field", f"{name} must be a number of bytes")
    if value > most:
        raise WireError("too_big", f"{name} may be {most} at most")
    return value


def _complain(code: str, text: str) -> Say:
    return Say(write(Event("error", {"text": text, "code": code})))
