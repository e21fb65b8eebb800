"""The native wire protocol: its JSON form, and the order messages may come in.

Text frames are JSON objects with a ``type``; binary frames are audio. A session passes
through three states:

    OPENING    --start-->  STREAMING  --stop, or the server ends it-->  CLOSING

Audio and ``flush`` belong to STREAMING; whatever arrives while CLOSING is ignored, since a
client cannot know yet that the server is ending the session. Every transition is in
`Dialogue`; nothing here reads or writes a socket.

    dialogue = Dialogue()
    dialogue.receive_text('{"type": "start"}')    # -> Start(...)
    encode(Flushed(id="a"))                       # -> '{"type":"flushed","id":"a"}'
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum, auto
from typing import Any, NoReturn

from streamasr.core.audio import ENCODINGS, HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS
from streamasr.core.events import Alternative, Partial, Word
from streamasr.core.hotwords import DEFAULT_BOOST, MOST, HotWord
from streamasr.core.messages import (
    CLIENT_TYPES,
    CONTAINER,
    MAX_TEXT_BYTES,
    NAMES,
    OPUS,
    SERVER_TYPES,
    VERSIONS,
    WAV,
    ClientMessage,
    Flush,
    Limits,
    ServerMessage,
    Start,
    Stop,
    WireError,
)
from streamasr.core.options import DECODERS, MOST_ALTERNATIVES
from streamasr.core.wordnet import MOST_WORDS
from streamasr.errors import ConfigError

MAX_ID_LENGTH = 200
FIELDS = {
    cls: tuple(f.name for f in fields(cls)) for cls in (*NAMES, Limits, Word, Alternative, HotWord)
}
FIELDS[Partial] = ("utterance", "text", "start", "end")  # words come with the final
NESTED: dict[str, type[Any]] = {"limits": Limits, "words": Word, "alternatives": Alternative}


def encode(message: ClientMessage | ServerMessage) -> str:
    """Write a message as the text of one frame; fields that are None or empty stay out."""
    body: dict[str, Any] = {"type": NAMES[type(message)]}
    body.update(_plain(message))
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(message: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name in FIELDS[type(message)]:
        value = getattr(message, name)
        if value is None or (value == () and name not in ("words", "hotwords")):
            continue
        if name == "written" and not value:
            continue
        if type(value) is float:
            value = round(value, 4)
        elif type(value) is tuple:
            value = [_plain(item) if type(item) in FIELDS else item for item in value]
        elif type(value) is Limits:
            value = _plain(value)
        plain[name] = value
    return plain


def decode_server(text: str | bytes) -> ServerMessage:
    """Read a server's frame; raises WireError when it is none that we know."""
    body = _object(text)
    cls = SERVER_TYPES[_type(body, SERVER_TYPES)]
    try:
        message: ServerMessage = _build(cls, body)
    except (TypeError, ValueError) as error:
        raise WireError("bad_field", f"{body['type']}: {error}") from error
    return message


def _build(cls: type[Any], body: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name in FIELDS[cls]:
        if name not in body:
            continue
        value = body[name]
        nested = NESTED.get(name)
        if isinstance(value, list):
            value = tuple(_build(nested, item) if nested is not None else item for item in value)
        elif isinstance(value, dict) and nested is not None:
            value = _build(nested, value)
        values[name] = value
    return cls(**values)


def decode_client(text: str | bytes) -> ClientMessage:
    """Read a client's text frame; raises WireError naming the fault and the remedy."""
    if len(text) > MAX_TEXT_BYTES:
        raise WireError(
            "too_big",
            f"a text frame holds {len(text)} characters",
            remedy=f"at most {MAX_TEXT_BYTES}; audio goes into binary frames",
        )
    body = _object(text)
    cls = CLIENT_TYPES[_type(body, CLIENT_TYPES)]
    if cls is Start:
        _check_version(body.get("version", 1))
    checks = CHECKS[cls]
    values = {name: check(name, body[name]) for name, check in checks.items() if name in body}
    message: ClientMessage = cls(**values)
    return message


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        detail = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise WireError(
            "not_json",
            f"a text frame is not valid JSON: {detail}",
            remedy="send one JSON object a text frame, and audio in binary frames",
        ) from None
    if not isinstance(body, dict):
        raise WireError(
            "not_json",
            f"a text frame must hold a JSON object, got {_kind(body)}",
            remedy='such as {"type": "start"}',
        )
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _type(body: Mapping[str, Any], known: Mapping[str, object]) -> str:
    name = body.get("type")
    if not isinstance(name, str) or name not in known:
        shown = "a message without a type" if "type" not in body else f"type {_show(name)}"
        raise WireError(
            "unknown_type", f"{shown} is not known", remedy="one of " + ", ".join(known)
        )
    return name


def _check_version(version: object) -> None:
    if isinstance(version, bool) or version not in VERSIONS:
        raise WireError(
            "unsupported_version",
            f"protocol version {_show(version)} is not supported",
            remedy="this server speaks " + ", ".join(map(str, VERSIONS)),
        )


# Checks of single fields: (name, value) -> value, or WireError

Check = Callable[[str, Any], Any]


def _refuse(name: str, value: object, expected: str) -> NoReturn:
    raise WireError("bad_field", f"{name} is {_show(value)}", remedy=f"{name} must be {expected}")


def _whole(low: int, high: int) -> Check:
    def check(name: str, value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            _refuse(name, value, f"a whole number from {low} to {high}")
        return value

    return check


def _number(low: float, high: float) -> Check:
    def check(name: str, value: object) -> float:
        if type(value) not in (int, float) or not low <= float(value) <= high:  # type: ignore[arg-type]
            _refuse(name, value, f"a number from {low:g} to {high:g}")
        return float(value)  # type: ignore[arg-type]

    return check


def _truth(name: str, value: object) -> bool:
    if type(value) is not bool:
        _refuse(name, value, "true or false")
    return value


def _one_of(*choices: str) -> Check:
    def check(name: str, value: object) -> str:
        if type(value) is not str or value not in choices:
            _refuse(name, value, "one of " + ", ".join(choices))
        return value

    return check


def _phrases(name: str, value: object) -> tuple[str, ...]:
    if type(value) is not list or not all(type(item) is str for item in value):
        _refuse(name, value, "a list of strings")
    if sum(len(item.split()) for item in value) > MOST_WORDS:
        _refuse(name, f"{len(value)} phrases", f"{MOST_WORDS} words at most")
    return tuple(item for item in value if item.strip())


def _hotwords(name: str, value: object) -> tuple[HotWord, ...]:
    if type(value) is not list or len(value) > MOST:
        _refuse(name, value, f"a list of at most {MOST} strings or objects")
    return tuple(_hotword(name, item) for item in value)


def _hotword(name: str, item: object) -> HotWord:
    fields = {"text": item} if isinstance(item, str) else item
    if not isinstance(fields, dict) or type(fields.get("text")) is not str:
        _refuse(name, item, "strings, or objects with text, boost and phones")
    boost, phones = fields.get("boost", DEFAULT_BOOST), fields.get("phones", "")
    if type(boost) not in (int, float) or type(phones) is not str:
        _refuse(name, item, "objects with a number as boost and a string as phones")
    try:
        return HotWord(fields["text"], float(boost), phones)
    except ConfigError as error:
        raise WireError("bad_field", f"{name}: {error.message}", remedy=error.remedy) from None


def _label(name: str, value: object) -> str | int | None:
    if type(value) is str and len(value) <= MAX_ID_LENGTH:
        return value
    if value is None or (type(value) is int and abs(value) < 2**53):
        return value
    _refuse(name, value, f"a whole number or a string of at most {MAX_ID_LENGTH} characters")


def _show(value: object) -> str:
    """Quote a value of the peer's, shortened."""
    text = json.dumps(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


CHECKS: dict[type[Any], dict[str, Check]] = {
    Start: {
        "encoding": _one_of(*ENCODINGS, WAV, OPUS, CONTAINER),
        "sample_rate": _whole(LOWEST_RATE, HIGHEST_RATE),
        "channels": _whole(1, MOST_CHANNELS),
        "partials": _truth,
        "words": _truth,
        "endpoint_ms": _whole(120, 10_000),
        "max_utterance_s": _number(1, 120),
        "vad": _truth,
        "decoder": _one_of(*DECODERS),
        "hotwords": _hotwords,
        "grammar": _phrases,
        "alternatives": _whole(0, MOST_ALTERNATIVES),
        "punctuate": _truth,
    },
    Flush: {"id": _label},
    Stop: {},
}


class State(Enum):
    OPENING = auto()
    STREAMING = auto()
    CLOSING = auto()


class Dialogue:
    """The server's view of one session: which message may come next."""

    def __init__(self) -> None:
        self.state = State.OPENING

    def receive_text(self, text: str) -> ClientMessage | None:
        """Take a text frame: its message, or None when the session is closing.

        Raises WireError when the frame is malformed or out of order.
        """
        if self.state is State.CLOSING:
            return None
        message = decode_client(text)
        if isinstance(message, Start):
            if self.state is not State.OPENING:
                _out_of_order("a second start", "open another connection for another stream")
            self.state = State.STREAMING
        elif self.state is State.OPENING:
            _out_of_order(f"{NAMES[type(message)]} before start", 'send {"type": "start"} first')
        elif isinstance(message, Stop):
            self.state = State.CLOSING
        return message

    def receive_audio(self) -> bool:
        """Say whether an audio frame is to be recognised; False while closing."""
        if self.state is State.OPENING:
            _out_of_order(
                "audio before start",
                'send {"type": "start", "encoding": "s16le", "sample_rate": 16000} first',
            )
        return self.state is State.STREAMING

    def close(self) -> None:
        """The server ends the session: ignore what still arrives."""
        self.state = State.CLOSING


def _out_of_order(what: str, remedy: str) -> NoReturn:
    raise WireError("out_of_order", f"{what} is not allowed", remedy=remedy)
