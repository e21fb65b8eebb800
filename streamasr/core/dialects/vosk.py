"""The websocket protocol of vosk-server.

Audio is 16-bit mono; a text frame is ``{"config": {...}}``, ``{"reset" : 1}`` or
``{"eof" : 1}``. Configuration is not answered. Everything else is answered by exactly one
frame, because clients send the next piece of audio only when they have read the answer to
the last: a result if an utterance ended in it, otherwise what is heard of the open one.
There are no error messages: a client that makes a mistake sees the connection close.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from streamasr.core.audio import HIGHEST_RATE, LOWEST_RATE
from streamasr.core.dialects import (
    MAX_TEXT_BYTES,
    NOTHING,
    Action,
    Entrance,
    Flush,
    Hangup,
    Hear,
    Listen,
    Mark,
    Marked,
    Reply,
    Request,
    Stop,
    Told,
)
from streamasr.core.events import Alternative, Final, Partial, SpeechEnded
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import ERRORS, REASONS, Closed, Error, Flushed, Start, WireError
from streamasr.core.options import MOST_ALTERNATIVES
from streamasr.core.wordnet import MOST_WORDS

DEFAULT_RATE = 8000
"""Hertz of the audio of a client that does not say."""
Way = Final | Alternative
REASON_BYTES = 123
"""The longest reason that a close frame carries."""


class Vosk:
    """One connection."""

    name: ClassVar[str] = "vosk"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES
    streams = 1

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._rate = DEFAULT_RATE
        self._words = True
        self._alternatives = 0
        self._phrases: tuple[str, ...] = ()
        self._is_open = False  # audio came: the configuration is settled
        self._finals: list[Final] = []  # told to nobody yet
        self._partial = ""

    def greet(self) -> Sequence[Action]:
        return NOTHING

    # ---- in ----

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        if isinstance(frame, bytes):
            return [*self._open(), Hear(frame), Mark()]
        message = _read(frame)
        if "config" in message:
            self._configure(message["config"])
            return NOTHING
        if message.get("eof"):
            return [*self._open(), Stop()]
        if message.get("reset"):
            return [*self._open(), Flush()]
        raise WireError(
            "unknown_type",
            "a text frame is none of config, reset and eof",
            remedy='such as {"eof" : 1}',
        )

    def _open(self) -> Sequence[Action]:
        if self._is_open:
            return NOTHING
        self._is_open = True
        start = Start(
            sample_rate=self._rate,
            grammar=self._phrases,
            alternatives=max(0, min(self._alternatives - 1, MOST_ALTERNATIVES)),
        )
        return [Listen(start)]

    def _configure(self, config: object) -> None:
        """Take what is given; nothing of it changes a stream that has begun."""
        if not isinstance(config, dict):
            raise WireError("bad_field", "config must be an object")
        for name, take in SETTINGS.items():
            if name in config:
                try:
                    take(self, config[name])
                except (TypeError, ValueError, OverflowError):
                    raise WireError("bad_field", f"config.{name} cannot be that") from None

    def _set_rate(self, value: Any) -> None:
        rate = float(value)
        if not LOWEST_RATE <= rate <= HIGHEST_RATE or rate != int(rate):
            raise WireError(
                "bad_field", f"sample_rate must be a whole number, {LOWEST_RATE} to {HIGHEST_RATE}"
            )
        self._rate = int(rate)

    def _set_words(self, value: Any) -> None:
        self._words = bool(value)

    def _set_alternatives(self, value: Any) -> None:
        self._alternatives = int(value)

    def _set_phrases(self, value: Any) -> None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise WireError("bad_field", "phrase_list must be a list of strings")
        if sum(len(item.split()) for item in value) > MOST_WORDS:
            raise WireError("bad_field", f"phrase_list may hold {MOST_WORDS} words")
        self._phrases = tuple(item for item in value if item.strip())

    def _set_model(self, value: Any) -> None:
        if value and value != self._model:
            raise WireError("bad_field", f"this server has one model, {self._model}")

    # ---- out ----

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        match message:
            case Partial(text=text):
                self._partial = text
            case Final():
                self._finals.append(message)
                self._partial = ""
            case SpeechEnded():
                self._partial = ""
            case Marked():
                yield self._result() if self._finals else _write({"partial": self._partial})
            case Flushed():
                yield self._result()
            case Closed(reason="stop"):
                yield self._result()
                yield Hangup()
            case Closed(reason=reason):
                if self._finals:
                    yield self._result()
                yield Hangup(REASONS[reason][0], reason)
            case Error(code="audio_format"):  # half a sample at the end
                yield self._result()
                yield Hangup()
            case Error():
                yield Hangup(*_goodbye(message))
            case _:
                pass

    def _result(self) -> str:
        """All utterances that ended since the last result, as one."""
        finals, self._finals = self._finals, []
        if self._alternatives <= 0:
            return _write(self._told(finals))
        most = min(
            self._alternatives, 1 + max((len(each.alternatives) for each in finals), default=0)
        )
        return _write(
            {
                "alternatives": [
                    {"confidence": round(_sure(ways), 6), **self._told(ways)}
                    for ways in (
                        [_way(final, number) for final in finals] for number in range(most)
                    )
                ]
            }
        )

    def _told(self, ways: Sequence[Way]) -> dict[str, Any]:
        result = [
            {
                "conf": round(word.confidence, 6),
                "end": round(word.end / SAMPLE_RATE, 6),
                "start": round(word.start / SAMPLE_RATE, 6),
                "word": word.text,
            }
            for way in ways
            for word in way.words
        ]
        body: dict[str, Any] = {"result": result} if self._words and result else {}
        return {**body, "text": " ".join(way.text for way in ways)}


def _way(final: Final, number: int) -> Way:
    """What a final said, as 0, and instead of it; of too few the last."""
    ways: list[Way] = [final, *final.alternatives]
    return ways[min(number, len(ways) - 1)]


def _sure(ways: Sequence[Way]) -> float:
    return sum(way.confidence for way in ways) / len(ways) if ways else 1.0


SETTINGS: Mapping[str, Callable[[Vosk, Any], None]] = {
    "sample_rate": Vosk._set_rate,
    "words": Vosk._set_words,
    "max_alternatives": Vosk._set_alternatives,
    "phrase_list": Vosk._set_phrases,
    "model": Vosk._set_model,
}


def _read(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise WireError("not_json", "a text frame must be a JSON object")
    return message


def _write(body: Mapping[str, Any]) -> str:
    """JSON with the spaces of the original, which some clients look for."""
    return json.dumps(body, ensure_ascii=False, indent=2, separators=(",", " : "))


def _goodbye(error: Error) -> tuple[int, str]:
    """A close code that websockets know, and a reason that fits into the frame."""
    code = ERRORS[error.code][0]
    reason = f"{error.message}: {error.remedy}" if error.remedy else error.message
    fitting = reason.encode()[:REASON_BYTES].decode(errors="ignore")
    return code if code < 4000 else 1008, fitting


def _begin(request: Request) -> Vosk:
    return Vosk(request.model)


ENTRANCE = Entrance("/", _begin)
