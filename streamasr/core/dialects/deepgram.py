"""Deepgram's streaming protocol, version 1: the parameters in the address, audio in binary
frames, controls and answers as JSON.

A result covers its channel's time from where the last final one ended, so that final
results lie end to end. Times are seconds from the first sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from streamasr.core.dialects import (
    MAX_TEXT_BYTES,
    NOTHING,
    OPUS,
    Action,
    Answer,
    Entrance,
    Flush,
    Hangup,
    Hear,
    Mark,
    Marked,
    Refusal,
    Reply,
    Request,
    Say,
    Stop,
    Told,
    opus_packet,
)
from streamasr.core.dialects.deepgram_options import Options, read_options
from streamasr.core.events import Final, Partial, SpeechEnded, SpeechStarted, Word
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import ERRORS, REASONS, Closed, Error, Flushed, Ready, WireError

IDLE = (1011, "NET-0001: no audio and no KeepAlive arrived for too long")
BAD_AUDIO = (1008, "DATA-0000: the audio is not what was declared")


@dataclass(slots=True)
class _Channel:
    """What was told of one channel."""

    covered: int = 0
    """Samples that final results cover."""
    finalizing: int = 0
    """Finalize messages that are not answered yet."""
    is_answered: bool = False
    """The one that is due has its result."""
    last_word_end: int | None = None
    """Of a word after which no `UtteranceEnd` was told."""
    speaking_since: int | None = None
    has_open_words: bool = False


class Deepgram:
    """One connection."""

    name: ClassVar[str] = "deepgram"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES

    def __init__(self, options: Options, request: Request) -> None:
        self._options = options
        self._request_id = request_id(request)
        self._created = request.created
        self._model_id, self._model_info = identity(request)
        self._warnings = list(options.warnings)
        self._channels = [_Channel() for _ in range(options.channels)]
        self._digest = sha256()

    @property
    def streams(self) -> int:
        return len(self._channels)

    def greet(self) -> Sequence[Action]:
        return [self._options.listen]

    # ---- in ----

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        if isinstance(frame, str):
            return self._control(frame)
        if not frame:  # the way to close before there was CloseStream
            return [Stop()]
        self._digest.update(frame)
        is_packet = self._options.listen.start.encoding == OPUS
        hear = Hear(opus_packet(frame) if is_packet else frame)
        return [hear, Mark()] if self._options.utterance_end is not None else [hear]

    def _control(self, text: str) -> Sequence[Action]:
        message = _read(text)
        match message.get("type"):
            case "KeepAlive":
                return NOTHING
            case "CloseStream":
                return [Stop()]
            case "Finalize":
                return self._finalize(message.get("channel"))
            case "Configure":
                return [Say(self._refuse_configuration())]
        raise WireError(
            "unknown_type",
            "a text message is none that is known",
            remedy="KeepAlive, Finalize or CloseStream; audio goes into binary messages",
        )

    def _finalize(self, channel: object) -> Sequence[Action]:
        if channel is None:
            which = range(len(self._channels))
        elif type(channel) is int and 0 <= channel < len(self._channels):
            which = range(channel, channel + 1)
        else:
            raise WireError("bad_field", f"there is no such channel, {len(self._channels)} are")
        for index in which:
            self._channels[index].finalizing += 1
        return [Flush(channel=index) for index in which]

    def _refuse_configuration(self) -> str:
        return _write(
            {
                "type": "ConfigureFailure",
                "request_id": self._request_id,
                "code": "CONFIGURE_KEYTERMS_NOT_SUPPORTED",
                "description": "key terms can be given in the address only",
            }
        )

    # ---- out ----

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        now = self._channels[channel]
        match message:
            case Ready(ignored=ignored):
                self._warnings += [cannot(item) for item in ignored]
            case SpeechStarted(at=at):
                now.speaking_since = at
                if self._options.vad_events:
                    yield self._stamped("SpeechStarted", channel, timestamp=seconds(at))
            case Partial():
                now.has_open_words = True
                if self._options.interim_results:
                    yield self._result(channel, message.text, message.end, message.words)
            case Final():
                yield from self._final(channel, message)
            case SpeechEnded():
                now.speaking_since, now.has_open_words = None, False
            case Marked(position=position):
                yield from self._utterance_end(channel, position)
            case Flushed():
                yield from self._finalized(channel)
            case Closed():
                yield from self._close(message)
            case Error():
                yield from self._fail(message)
            case _:
                pass

    def _final(self, channel: int, final: Final) -> Iterator[str]:
        now = self._channels[channel]
        is_answer = final.reason == "finish" and now.finalizing > 0
        yield self._result(
            channel,
            final.written or final.text,
            final.end,
            final.words,
            confidence=final.confidence,
            is_final=True,
            speech_final=final.reason != "length",
            from_finalize=is_answer,
        )
        now.is_answered = now.is_answered or is_answer
        now.covered = max(now.covered, final.end)
        now.has_open_words = False
        now.last_word_end = final.words[-1].end if final.words else final.end

    def _finalized(self, channel: int) -> Iterator[str]:
        """A Finalize that found nothing to finish is answered too."""
        now = self._channels[channel]
        now.finalizing -= 1
        if not now.is_answered:
            yield self._result(
                channel, "", now.covered, (), is_final=True, speech_final=True, from_finalize=True
            )
        now.is_answered = False

    def _utterance_end(self, channel: int, position: int) -> Iterator[str]:
        now = self._channels[channel]
        wanted = self._options.utterance_end
        if wanted is None or now.last_word_end is None or now.has_open_words:
            return
        quiet_until = position if now.speaking_since is None else now.speaking_since
        if quiet_until - now.last_word_end >= wanted:
            end, now.last_word_end = now.last_word_end, None
            yield self._stamped("UtteranceEnd", channel, last_word_end=seconds(end))

    def _result(
        self,
        channel: int,
        text: str,
        end: int,
        words: Sequence[Word],
        *,
        confidence: float | None = None,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> str:
        start = self._channels[channel].covered
        if confidence is None:
            confidence = sum(w.confidence for w in words) / len(words) if words else 0.0
        alternative = {
            "transcript": text,
            "confidence": round(confidence, 6),
            "words": [told_word(word, is_punctuated=self._options.is_punctuated) for word in words],
        }
        return _write(
            {
                "type": "Results",
                "channel_index": [channel, len(self._channels)],
                "duration": seconds(max(end - start, 0)),
                "start": seconds(start),
                "is_final": is_final,
                "speech_final": speech_final,
                "channel": {"alternatives": [alternative]},
                "metadata": {
                    "request_id": self._request_id,
                    "model_info": self._model_info,
                    "model_uuid": self._model_id,
                },
                "from_finalize": from_finalize,
            }
        )

    def _stamped(self, kind: str, channel: int, **when: float) -> str:
        return _write({"type": kind, "channel": [channel, len(self._channels)], **when})

    def _close(self, closed: Closed) -> Iterator[Reply]:
        if closed.reason == "idle":
            yield Hangup(*IDLE)
            return
        body = {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._request_id,
            "sha256": self._digest.hexdigest(),
            "created": self._created,
            "duration": round(closed.audio_s / len(self._channels), 6),
            "channels": len(self._channels),
            "models": [self._model_id],
            "model_info": {self._model_id: self._model_info},
        }
        if self._warnings:
            body["warnings"] = self._warnings
        if self._options.extra:
            body["extra"] = self._options.extra
        yield _write(body)
        yield Hangup(REASONS[closed.reason][0], closed.reason)

    def _fail(self, error: Error) -> Iterator[Reply]:
        code, reason = ERRORS[error.code][0], f"{error.code}: {error.message}"
        if error.code == "audio_format":
            code, reason = BAD_AUDIO
        yield _write(
            {
                "type": "Error",
                "variant": error.code,
                "description": error.message,
                "message": f"{error.message}: {error.remedy}" if error.remedy else error.message,
                "code": error.code,
                "request_id": self._request_id,
            }
        )
        yield Hangup(code if code < 4000 else 1008, reason.encode()[:123].decode(errors="ignore"))


def cannot(item: str) -> Mapping[str, str]:
    """A feature that the recogniser ignores, as a warning."""
    return {
        "parameter": "keyterm" if item.startswith("hotwords") else item,
        "type": "unsupported_parameter",
        "message": f"{item} cannot be honoured",
    }


def identity(request: Request) -> tuple[str, Mapping[str, str]]:
    """The model's UUID, and what is told of it."""
    model_id = str(uuid5(NAMESPACE_URL, f"streamasr:{request.model}"))
    return model_id, {"name": request.model, "version": "1", "arch": "streamasr"}


def told_word(word: Word, *, is_punctuated: bool) -> dict[str, Any]:
    """A word as results tell it."""
    body = {
        "word": word.text,
        "start": seconds(word.start),
        "end": seconds(word.end),
        "confidence": round(word.confidence, 6),
    }
    if is_punctuated:
        body["punctuated_word"] = word.written or word.text
    return body


def seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 6)


def request_id(request: Request) -> str:
    return str(uuid5(NAMESPACE_URL, f"streamasr:{request.session}:{request.created}"))


def _read(text: str) -> Mapping[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise WireError("not_json", "a text message is no JSON object")
    return message


def _write(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


CODES = {401: ("INVALID_AUTH", "Invalid credentials."), 503: ("SERVICE_UNAVAILABLE", "")}


def _answer(refusal: Refusal, request: Request) -> Answer:
    """A refusal as Deepgram's HTTP errors are, with its headers."""
    code, message = CODES.get(refusal.status, (refusal.code, ""))
    named = request_id(request)
    said = message or f"{code}: {refusal.message}"
    headers = {
        "dg-error": "".join(c if " " <= c <= "~" else "?" for c in said),
        "dg-request-id": named,
    }
    return headers, {"err_code": code, "err_msg": said, "request_id": named}


def _begin(request: Request) -> Deepgram:
    return Deepgram(read_options(request.query), request)


ENTRANCE = Entrance(
    "/v1/listen",
    _begin,
    _answer,
    subprotocols=("token", "bearer"),
    headers=lambda request: {"dg-request-id": request_id(request)},
)
