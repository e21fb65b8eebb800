from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import (
    Flush,
    Hangup,
    Hear,
    Listen,
    Mark,
    Marked,
    Refusal,
    Request,
    Say,
    Stop,
    Told,
)
from streamasr.core.dialects.deepgram import ENTRANCE, Deepgram
from streamasr.core.events import EndReason, Final, Partial, SpeechEnded, SpeechStarted, Word
from streamasr.core.messages import Closed, Error, Flushed, WireError


def begin(**query: str) -> Deepgram:
    fields = {"encoding": "mulaw"} | query
    request = Request("0a1b2c3d", {k: [v] for k, v in fields.items()}, model="mine", created="then")
    dialect = ENTRANCE.open(request)
    assert isinstance(dialect, Deepgram)
    return dialect


def tell(deepgram: Deepgram, *told: Told, channel: int = 0) -> list[Any]:
    replies = [reply for message in told for reply in deepgram.tell(message, channel)]
    return [json.loads(reply) if isinstance(reply, str) else reply for reply in replies]


def final(text: str, start: int, end: int, reason: EndReason = "silence") -> Final:
    return Final(0, text, start, end, (Word(text, start, end, 0.5),), 0.5, reason)


def closed(reason: str) -> Closed:
    return Closed(reason, 32_000, 2.0, 1, 2, 0.0, 0.0, 0.0)


def test_frames_become_actions() -> None:
    deepgram = begin()
    (listen,) = deepgram.greet()
    assert isinstance(listen, Listen)
    assert deepgram.receive(b"a") == [Hear(b"a")]
    assert deepgram.receive(b"") == [Stop()]
    assert deepgram.receive('{"type": "KeepAlive"}') == ()
    assert deepgram.receive('{"type": "Finalize"}') == [Flush(channel=0)]
    assert deepgram.receive('{"type": "CloseStream"}') == [Stop()]
    (say,) = deepgram.receive('{"type": "Configure"}')
    assert isinstance(say, Say)
    timed = begin(interim_results="true", utterance_end_ms="1000")
    assert timed.receive(b"a") == [Hear(b"a"), Mark()]


def test_results_lie_end_to_end() -> None:
    deepgram = begin(interim_results="true")
    told = tell(
        deepgram,
        SpeechStarted(0, 8000),
        Partial(0, "a", 8000, 16_000),
        final("a", 8000, 24_000, "length"),
        final("b", 32_000, 40_000),
        SpeechEnded(0, 40_000),
    )
    assert [(t["start"], t["duration"]) for t in told] == [(0, 1), (0, 1.5), (1.5, 1)]
    assert [t["is_final"] for t in told] == [False, True, True]
    assert [t["speech_final"] for t in told] == [False, False, True]


def test_every_finalize_is_answered_once() -> None:
    deepgram = begin()
    for _ in range(2):
        deepgram.receive('{"type": "Finalize"}')
    told = tell(
        deepgram,
        final("before", 0, 1000),
        final("it", 1000, 2000, "finish"),
        Flushed(None),
        Flushed(None),
        final("last", 2000, 3000, "finish"),
    )
    heard = [(t["channel"]["alternatives"][0]["transcript"], t["from_finalize"]) for t in told]
    assert heard == [("before", False), ("it", True), ("", True), ("last", False)]


def test_an_utterance_ends_after_its_silence() -> None:
    deepgram = begin(interim_results="true", utterance_end_ms="1000")
    assert tell(deepgram, Marked(None, 90_000)) == []
    tell(deepgram, SpeechStarted(0, 0), final("a", 0, 16_000), SpeechEnded(0, 16_000))
    assert tell(deepgram, Marked(None, 31_999)) == []
    tell(deepgram, SpeechStarted(1, 31_000))
    assert tell(deepgram, Marked(None, 40_000)) == []  # it went on in time
    tell(deepgram, final("b", 31_000, 36_000), SpeechEnded(1, 36_000))
    assert tell(deepgram, Marked(None, 52_000), Marked(None, 53_000)) == [
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.25}
    ]


def test_channels_do_not_mix() -> None:
    deepgram = begin(multichannel="true", channels="2")
    assert deepgram.streams == 2
    assert deepgram.receive('{"type": "Finalize", "channel": 1}') == [Flush(channel=1)]
    (left,) = tell(deepgram, final("l", 0, 16_000))
    (right,) = tell(deepgram, final("r", 0, 8000, "finish"), channel=1)
    assert (left["channel_index"], left["from_finalize"]) == ([0, 2], False)
    assert (right["channel_index"], right["from_finalize"]) == ([1, 2], True)


def test_the_end_is_metadata_or_the_code_that_deepgram_has_for_it() -> None:
    metadata, hangup = tell(begin(extra="a:b"), closed("stop"))
    assert metadata["created"] == "then"
    assert metadata["extra"] == {"a": "b"}
    assert hangup == Hangup(1000, "stop")
    (idle,) = tell(begin(), closed("idle"))
    assert (idle.code, idle.reason[:8]) == (1011, "NET-0001")
    error, hangup = tell(begin(), Error("audio_format", "no wav"))
    assert error["type"] == "Error"
    assert (hangup.code, hangup.reason[:9]) == (1008, "DATA-0000")


def test_a_refusal_has_its_headers() -> None:
    refusal = Refusal(400, "Bad Request", "line\r\nbreak ä")
    headers, body = ENTRANCE.answer(refusal, Request())
    assert headers["dg-error"] == "Bad Request: line??break ?"
    assert body["err_code"] == "Bad Request"
    assert ENTRANCE.answer(Refusal(401, "token", "x"), Request())[1]["err_code"] == "INVALID_AUTH"


@settings(max_examples=40)
@given(st.text() | st.fixed_dictionaries({"type": st.text() | st.none(), "channel": st.integers()}))
def test_no_text_does_anything_but_raise(value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(WireError):
        begin().receive(text)
