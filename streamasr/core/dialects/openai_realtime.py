"""OpenAI's realtime transcription: JSON events both ways, audio as base64 inside them.

Three flavours of one protocol. GA says ``session.*`` and ``conversation.item.added``; beta says
``transcription_session.*`` and ``conversation.item.created``; NVIDIA's clients speak beta, but
commit every piece of audio, and say ``done`` at the end. Mistakes are answered with an
``error`` event, and the session goes on.

An item is a turn: an utterance while the server detects turns, else all that was said until
a ``commit``. Its text grows by deltas as it is spoken; where the recogniser changes its mind,
deltas wait, and ``completed`` has the text that holds.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar

from streamasr.core.dialects import (
    NOTHING,
    Action,
    Clear,
    Entrance,
    Flush,
    Hangup,
    Hear,
    Mark,
    Marked,
    Reply,
    Request,
    Say,
    Stop,
    Told,
)
from streamasr.core.dialects.growing import Growing
from streamasr.core.dialects.openai import INVALID, answer, error_body
from streamasr.core.dialects.openai_realtime_config import (
    Config,
    Unsupported,
    read_beta,
    read_ga,
)
from streamasr.core.events import Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import ERRORS, REASONS, Closed, Error, Flushed

MS = SAMPLE_RATE // 1000
LEAST_COMMIT_S = 0.1
"""Of audio; less cannot be committed."""
PATH = "/v1/realtime"
TOKEN_PROTOCOL = "realtime-token."
"""How NVIDIA's clients give their secret, which is how they are known."""
BETA_PROTOCOL = "openai-beta.realtime-v1"


class Flavour(Enum):
    GA = "ga"
    BETA = "beta"
    RIVA = "riva"


class Realtime:
    """One connection."""

    name: ClassVar[str] = "openai-realtime"
    text_bytes: ClassVar[int] = 1_500_000
    streams = 1

    def __init__(self, request: Request, flavour: Flavour) -> None:
        self._session = request.session
        self._model = request.model
        self._flavour = flavour
        self._config = Config()
        self._is_open = False  # audio came: what is listened to is settled
        self._uncommitted = 0  # bytes
        self._commits = 0  # turns that the client ended
        self._events = 0
        # of what is told
        self._item = 0
        self._previous: str | None = None
        self._finals: list[Final] = []  # of the open item
        self._growing = Growing()
        self._all: list[str] = []  # for NVIDIA's last result

    def greet(self) -> Sequence[Action]:
        if self._flavour is Flavour.RIVA:
            conversation = {"id": f"conv_{self._session}", "object": "realtime.conversation"}
            return [Say(self._event("conversation.created", conversation=conversation))]
        return [Say(self._about_session("created"))]

    # ---- in ----

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        try:
            message = json.loads(frame) if isinstance(frame, str) else None
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return [self._complain("a message must be a text frame with a JSON object")]
        event_id = message.get("event_id")
        event_id = event_id[:200] if isinstance(event_id, str) else None
        try:
            return self._handle(message, event_id)
        except Unsupported as error:
            return [self._complain(error.message, param=error.param, event_id=event_id)]

    def _handle(self, message: Mapping[str, Any], event_id: str | None) -> Sequence[Action]:
        match message.get("type"):
            case "input_audio_buffer.append":
                return self._append(message)
            case "input_audio_buffer.commit":
                return self._commit(event_id)
            case "input_audio_buffer.clear":
                return self._clear()
            case "input_audio_buffer.done" if self._flavour is Flavour.RIVA:
                return [*self._open(), Stop()]
            case "session.update" | "transcription_session.update" as kind:
                return self._update(message.get("session"), is_ga=kind == "session.update")
            case kind:
                shown = str(kind)[:60]
                text = f"{shown!r} is not available in a transcription session"
                return [self._complain(text, param="type", event_id=event_id)]

    def _update(self, session: object, *, is_ga: bool) -> Sequence[Action]:
        if not isinstance(session, dict):
            raise Unsupported("session", "session must be an object")
        read = read_ga if is_ga else read_beta
        config = read(session, self._config, self._model)
        if self._is_open and config.listen() != self._config.listen():
            raise Unsupported("session", "the audio cannot change once some was sent")
        self._config = config
        if not is_ga and self._flavour is Flavour.GA:
            self._flavour = Flavour.BETA  # it tells by what it says
        return [Say(self._about_session("updated"))]

    def _append(self, message: Mapping[str, Any]) -> Sequence[Action]:
        audio = message.get("audio")
        try:
            data = b64decode(audio if isinstance(audio, str) else "?", validate=True)
        except (binascii.Error, ValueError):
            raise Unsupported("audio", "audio must be base64") from None
        self._uncommitted += len(data)
        actions: list[Action] = [*self._open(), Hear(data)]
        if _is_forced(message):
            actions.append(Flush())
        return actions

    def _open(self) -> Sequence[Action]:
        if self._is_open:
            return NOTHING
        self._is_open = True
        return [self._config.listen()]

    def _commit(self, event_id: str | None) -> Sequence[Action]:
        if self._flavour is Flavour.RIVA:
            return NOTHING  # a piece is complete, not a turn
        config = self._config
        width = 2 * config.channels if config.encoding == "s16le" else config.channels
        heard_s = self._uncommitted / (width * config.rate)
        self._uncommitted = 0
        if heard_s < LEAST_COMMIT_S:
            text = f"the buffer holds {heard_s * 1000:.0f} ms of audio, 100 at least are needed"
            return [self._complain(text, code="input_audio_buffer_commit_empty", event_id=event_id)]
        if config.is_detecting:
            return [Flush()]
        self._commits += 1
        return [Flush(self._commits)]

    def _clear(self) -> Sequence[Action]:
        self._uncommitted = 0
        if not self._is_open:
            return [Say(self._event("input_audio_buffer.cleared"))]
        return [Clear(), Mark()]

    # ---- out ----

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        is_turn = self._config.is_detecting
        match message:
            case SpeechStarted(at=at):
                if is_turn:
                    yield self._about_buffer("speech_started", audio_start_ms=at // MS)
            case Partial(text=text):
                yield from self._grow(text)
            case Final():
                self._finals.append(message)
                yield from self._grow("")
            case SpeechEnded(at=at):
                if is_turn:
                    yield self._about_buffer("speech_stopped", audio_end_ms=at // MS)
                    yield from self._complete()
            case Flushed(id=commit):
                if commit is not None:
                    yield from self._complete()
            case Marked():
                self._finals, self._growing = [], Growing()
                yield self._event("input_audio_buffer.cleared")
            case Closed(reason=reason):
                if self._finals or self._flavour is Flavour.RIVA:
                    yield from self._complete(is_last=True)
                yield Hangup(REASONS[reason][0], reason)
            case Error():
                yield from self._fail(message)
            case _:
                pass

    def _grow(self, partial: str) -> Iterator[str]:
        """Say what is new in the open item, as long as the old holds."""
        if delta := self._growing.grow(self._text(partial)):
            yield self._about_text("delta", delta=delta)

    def _text(self, partial: str = "") -> str:
        texts = [final.text for final in self._finals]
        return " ".join([*texts, partial] if partial else texts)

    def _complete(self, *, is_last: bool = False) -> Iterator[str]:
        """The turn is over: the item is there, and so is its text."""
        item_id = self._item_id
        text = " ".join(final.written or final.text for final in self._finals)
        if not (is_last and self._flavour is Flavour.RIVA):
            yield self._about_buffer("committed", previous_item_id=self._previous)
            yield from self._about_item(item_id)
        fields: dict[str, Any] = {"transcript": text}
        heard = sum(final.end - final.start for final in self._finals)
        fields["usage"] = {"type": "duration", "seconds": round(heard / SAMPLE_RATE, 3)}
        if self._flavour is Flavour.RIVA:
            self._all += [text] if text else []
            fields["is_last_result"] = is_last
            fields["words_info"] = {"words": [_riva_word(word) for word in self._words()]}
            if is_last:
                fields["transcript"] = " ".join(self._all)
        yield self._about_text("completed", **fields)
        self._previous = item_id
        self._item += 1
        self._finals, self._growing = [], Growing()

    def _words(self) -> Iterator[Any]:
        for final in self._finals:
            yield from final.words

    @property
    def _item_id(self) -> str:
        return f"item_{self._session}_{self._item}"

    def _about_text(self, what: str, **fields: Any) -> str:
        kind = f"conversation.item.input_audio_transcription.{what}"
        return self._event(kind, item_id=self._item_id, content_index=0, **fields)

    def _about_buffer(self, what: str, **fields: Any) -> str:
        return self._event(f"input_audio_buffer.{what}", item_id=self._item_id, **fields)

    def _about_item(self, item_id: str) -> Iterator[str]:
        item = {
            "id": item_id,
            "type": "message",
            "object": "realtime.item",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        whats = ("added", "done") if self._flavour is Flavour.GA else ("created",)
        for what in whats:
            kind = f"conversation.item.{what}"
            yield self._event(kind, previous_item_id=self._previous, item=item)

    def _about_session(self, what: str) -> str:
        if self._flavour is Flavour.GA:
            kind, shown = f"session.{what}", self._config.ga(self._model)
        else:
            kind, shown = f"transcription_session.{what}", self._config.beta(self._model)
        return self._event(kind, session={"id": f"sess_{self._session}", **shown})

    def _event(self, kind: str, **fields: Any) -> str:
        self._events += 1
        body = {"type": kind, "event_id": f"event_{self._session}_{self._events}", **fields}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    def _complain(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = "invalid_value",
        event_id: str | None = None,
        kind: str = INVALID,
    ) -> Say:
        error = error_body(message, kind=kind, param=param, code=code)["error"]
        return Say(self._event("error", error={**error, "event_id": event_id}))

    def _fail(self, error: Error) -> Iterator[Reply]:
        kind = "server_error" if error.code in ("busy", "internal") else INVALID
        text = f"{error.message}: {error.remedy}" if error.remedy else error.message
        yield str(self._complain(text, code=error.code, kind=kind).frame)
        code = ERRORS[error.code][0]
        yield Hangup(code if code < 4000 else 1008, error.code)


def _is_forced(message: Mapping[str, Any]) -> bool:
    """NVIDIA's way to end an utterance with a piece of audio."""
    config = message.get("runtime_config")
    return isinstance(config, dict) and str(config.get("force_eou")).lower() == "true"


def _riva_word(word: Any) -> Mapping[str, Any]:
    return {
        "word": word.text,
        "start_time": word.start // MS,
        "end_time": word.end // MS,
        "confidence": round(word.confidence, 4),
        "speaker_tag": 0,
    }


def _begin(request: Request) -> Realtime:
    if any(name.startswith(TOKEN_PROTOCOL) for name in request.subprotocols):
        return Realtime(request, Flavour.RIVA)
    is_beta = BETA_PROTOCOL in request.subprotocols or "realtime=v1" in request.beta
    return Realtime(request, Flavour.BETA if is_beta else Flavour.GA)


ENTRANCE = Entrance(PATH, _begin, answer, subprotocols=("realtime",))
