"""OpenAI's transcription of files, ``POST /v1/audio/transcriptions``, and its list of models.

What the session says is the body of the response, piece by piece, and the code of the
hang-up is its HTTP status. With ``stream`` each utterance is an event as soon as it ends.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from streamasr.core.cues import SrtCues, VttCues
from streamasr.core.dialects import (
    MAX_TEXT_BYTES,
    Action,
    Hangup,
    Listen,
    Reply,
    Request,
    Told,
)
from streamasr.core.dialects.files import STATUSES, take
from streamasr.core.dialects.openai import check_language, check_model, error_body, refuse
from streamasr.core.events import Final, Word
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import Closed, Error, Start
from streamasr.core.scribe import as_written

FORMATS = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/plain; charset=utf-8",
    "verbose_json": "application/json",
}
"""Response format -> content type."""
GRANULARITIES = ("segment", "word")
IDLE = ("prompt", "temperature", "chunking_strategy")
"""Taken without effect, and named in the header `IGNORED`."""
KNOWN = {*IDLE, "file", "model", "language", "response_format", "stream"}
IGNORED = "x-streamasr-ignored"

Form = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Options:
    """What one request asks for."""

    form: str = "json"
    stream: bool = False
    granularities: tuple[str, ...] = ("segment",)
    ignored: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        return "text/event-stream" if self.stream else FORMATS[self.form]


def read_options(form: Form, model: str) -> Options:
    """Read the fields of a request; raises Refused."""
    check_model(_last(form, "model"), model)
    check_language(_last(form, "language"))
    name = _last(form, "response_format") or "json"
    if name not in FORMATS:
        refuse(f"{name[:20]!r} is not one of {', '.join(FORMATS)}", "response_format")
    asked = tuple(dict.fromkeys(_list(form, "timestamp_granularities")))
    if any(item not in GRANULARITIES for item in asked):
        refuse(f"one of {', '.join(GRANULARITIES)}", "timestamp_granularities")
    if asked and name != "verbose_json":
        refuse("needs response_format=verbose_json", "timestamp_granularities")
    if _list(form, "include"):
        refuse("logprobs are not available on this server", "include")
    for field in form:
        if field.removesuffix("[]") not in KNOWN | {"timestamp_granularities", "include"}:
            refuse(f"{field[:40]!r} is not known", field[:40])
    ignored = tuple(
        field for field in IDLE if (_last(form, field) or "auto") not in ("auto", "0", "0.0")
    )
    return Options(
        form=name,
        stream=_last(form, "stream").lower() in ("true", "1") and name in ("json", "text"),
        granularities=asked or ("segment",),
        ignored=ignored,
    )


def _last(form: Form, name: str) -> str:
    values = form.get(name)
    return values[-1].strip() if values else ""


def _list(form: Form, name: str) -> list[str]:
    return [*form.get(name, ()), *form.get(f"{name}[]", ())]


class Transcription:
    """One file: frames in are what `files.take` takes."""

    name: ClassVar[str] = "openai-files"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES
    streams = 1

    def __init__(self, options: Options) -> None:
        self._options = options
        self._finals: list[Final] = []  # as written
        self._words: list[Word] = []  # as spoken

    def greet(self) -> Sequence[Action]:
        start = Start(encoding="f32le", sample_rate=SAMPLE_RATE, partials=False, punctuate=True)
        return [Listen(start)]

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        return take(frame)

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        match message:
            case Final(words=words):
                final = as_written(message)
                if self._options.stream:
                    delta = f" {final.text}" if self._finals else final.text
                    yield _event({"type": "transcript.text.delta", "delta": delta})
                self._finals.append(final)
                self._words += words
            case Closed(reason="stop", audio_s=audio_s):
                yield from self._body(audio_s)
                yield Hangup(200)
            case Closed():
                yield self._error("the server is shutting down", "server_error")
                yield Hangup(503)
            case Error(code=code, message=text):
                status = STATUSES.get(code, 500)
                kind = "invalid_request_error" if status == 400 else "server_error"
                yield self._error(text, kind, param="file" if status == 400 else None)
                yield Hangup(status)
            case _:
                pass

    def _error(self, message: str, kind: str, *, param: str | None = None) -> str:
        body = error_body(message, kind=kind, param=param)
        return _event({"type": "error", **body}) if self._options.stream else json.dumps(body)

    def _body(self, audio_s: float) -> Iterator[str]:
        options, finals = self._options, self._finals
        text = " ".join(final.text for final in finals)
        usage = {"type": "duration", "seconds": math.ceil(audio_s)}
        if options.stream:
            yield _event({"type": "transcript.text.done", "text": text, "usage": usage})
            yield "data: [DONE]\n\n"
        elif options.form == "text":
            yield text + "\n"
        elif options.form in ("srt", "vtt"):
            cues = SrtCues() if options.form == "srt" else VttCues()
            yield cues.head + "".join(map(cues.add, finals))
        elif options.form == "json":
            yield json.dumps({"text": text, "usage": usage}, ensure_ascii=False)
        else:
            yield json.dumps(self._verbose(text, audio_s, usage), ensure_ascii=False)

    def _verbose(self, text: str, audio_s: float, usage: Mapping[str, Any]) -> Mapping[str, Any]:
        body: dict[str, Any] = {
            "task": "transcribe",
            "language": "english",
            "duration": round(audio_s, 3),
            "text": text,
        }
        if "segment" in self._options.granularities:
            body["segments"] = [_segment(i, final) for i, final in enumerate(self._finals)]
        if "word" in self._options.granularities:
            body["words"] = [
                {"word": w.text, "start": _seconds(w.start), "end": _seconds(w.end)}
                for w in self._words
            ]
        return {**body, "usage": usage}


def _segment(index: int, final: Final) -> Mapping[str, Any]:
    packed = len(zlib.compress(final.text.encode()))
    return {
        "id": index,
        "seek": 0,
        "start": _seconds(final.start),
        "end": _seconds(final.end),
        "text": final.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(math.log(max(final.confidence, 1e-6)), 4),
        "compression_ratio": round(len(final.text.encode()) / packed, 4),
        "no_speech_prob": 0.0,
    }


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 3)


def _event(body: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def model_card(request: Request) -> Mapping[str, Any]:
    """The one model, as ``/v1/models`` lists it."""
    return {"id": request.model, "object": "model", "created": 0, "owned_by": "streamasr"}
