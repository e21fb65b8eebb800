"""Deepgram's transcription of files, ``POST /v1/listen``: the body is the file.

What the session says is the body of the response, and the code of the hang-up its HTTP status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from streamasr.core.dialects import (
    CONTAINER,
    MAX_TEXT_BYTES,
    OGG,
    OPUS,
    Action,
    Hangup,
    Listen,
    Refusal,
    Refused,
    Reply,
    Request,
    Told,
)
from streamasr.core.dialects.deepgram import (
    ENTRANCE,
    cannot,
    identity,
    request_id,
    seconds,
    told_word,
)
from streamasr.core.dialects.deepgram_options import Options, Query, read_options
from streamasr.core.dialects.files import STATUSES, take
from streamasr.core.events import Final
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import Closed, Error, Ready, Start


def read_file_options(query: Query) -> Options:
    """Read the parameters of an upload; raises Refused."""
    options = read_options(query, of_file=True)
    if options.listen.apart:
        raise Refused(Refusal(400, "Bad Request", "multichannel is for streams on this server"))
    if options.listen.start.encoding == OPUS:
        raise Refused(Refusal(400, "Bad Request", "packets of Opus need a container in a file"))
    return options


def is_raw(options: Options) -> bool:
    """Whether the file has no header, and is what its parameters say."""
    return options.listen.start.encoding not in (CONTAINER, OGG)


class Prerecorded:
    """One file: frames in are what `files.take` takes."""

    name: ClassVar[str] = "deepgram-files"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES
    streams = 1

    def __init__(self, options: Options, request: Request, digest: str) -> None:
        """``digest`` is the SHA-256 of the file, in hexadecimal."""
        self._options = options
        self._request = request
        self._digest = digest
        self._finals: list[Final] = []
        self._warnings = list(options.warnings)

    def greet(self) -> Sequence[Action]:
        asked = self._options.listen.start
        start = Start(
            encoding="f32le",
            sample_rate=SAMPLE_RATE,
            partials=False,
            endpoint_ms=asked.endpoint_ms,
            hotwords=asked.hotwords,
            punctuate=asked.punctuate,
        )
        return [Listen(start)]

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        return take(frame)

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        match message:
            case Ready(ignored=ignored):
                self._warnings += [cannot(item) for item in ignored]
            case Final():
                self._finals.append(message)
            case Closed(reason="stop", audio_s=audio_s):
                yield json.dumps(self._body(audio_s), ensure_ascii=False)
                yield Hangup(200)
            case Closed():
                yield from self._fail(Refusal(503, "busy", "the server is shutting down"))
            case Error(code=code, message=text):
                status = STATUSES.get(code, 500)
                kind = "Bad Request" if status == 400 else code
                yield from self._fail(Refusal(status, kind, text))
            case _:
                pass

    def _fail(self, refusal: Refusal) -> Iterable[Reply]:
        _, body = ENTRANCE.answer(refusal, self._request)
        yield json.dumps(body, ensure_ascii=False)
        yield Hangup(refusal.status)

    def _body(self, audio_s: float) -> Mapping[str, Any]:
        model_id, model_info = identity(self._request)
        metadata = {
            "transaction_key": "deprecated",
            "request_id": request_id(self._request),
            "sha256": self._digest,
            "created": self._request.created,
            "duration": round(audio_s, 6),
            "channels": 1,
            "models": [model_id],
            "model_info": {model_id: model_info},
        }
        if self._warnings:
            metadata["warnings"] = self._warnings
        if self._options.extra:
            metadata["extra"] = self._options.extra
        alternative = self._alternative(self._finals)
        results: dict[str, Any] = {"channels": [{"alternatives": [alternative]}]}
        if self._options.utterances:
            results["utterances"] = [self._utterance(final) for final in self._finals]
        return {"metadata": metadata, "results": results}

    def _alternative(self, finals: Sequence[Final]) -> Mapping[str, Any]:
        sure = sum(final.confidence for final in finals) / len(finals) if finals else 0.0
        return {
            "transcript": " ".join(final.written or final.text for final in finals),
            "confidence": round(sure, 6),
            "words": [
                told_word(word, is_punctuated=self._options.is_punctuated)
                for final in finals
                for word in final.words
            ],
        }

    def _utterance(self, final: Final) -> Mapping[str, Any]:
        said = self._alternative([final])
        named = f"{request_id(self._request)}:{final.utterance}"
        return {
            "start": seconds(final.start),
            "end": seconds(final.end),
            "channel": 0,
            **said,
            "id": str(uuid5(NAMESPACE_URL, named)),
        }
