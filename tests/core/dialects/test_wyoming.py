from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import (
    Action,
    Clear,
    Flush,
    Hangup,
    Hear,
    Listen,
    Mark,
    Marked,
    Request,
    Say,
    Told,
)
from streamasr.core.dialects.wyoming import Event, EventReader, Wyoming, write
from streamasr.core.events import Final, Partial
from streamasr.core.messages import Closed, Error, Flushed, Start, WireError

FORMAT = {"rate": 16_000, "width": 2, "channels": 1}


def read(data: bytes) -> list[Event]:
    return list(EventReader().feed(data))


def begin() -> Wyoming:
    return Wyoming(Request(model="mine"))


def answers(wyoming: Wyoming, *events: Event) -> list[Any]:
    """Actions, with what they say as events."""
    out: list[Any] = []
    for event in events:
        for action in wyoming.receive(write(event)):
            if isinstance(action, Say):
                out += read(bytes(action.frame))  # type: ignore[arg-type]
            else:
                out.append(action)
    return out


def tell(wyoming: Wyoming, *told: Told) -> list[Any]:
    out: list[Any] = []
    for message in told:
        for reply in wyoming.tell(message):
            out += read(reply) if isinstance(reply, bytes) else [reply]
    return out


def final(text: str) -> Final:
    return Final(0, text, 0, 1, (), 1.0, "silence")


@pytest.mark.parametrize("seed", range(3))
def test_events_are_read_however_the_bytes_are_cut(seed: int) -> None:
    events = [
        Event("ping"),
        Event("audio-chunk", FORMAT, b"\n{}" * 500),
        Event("transcribe", {"language": "en", "ü": "\n"}),
    ]
    data = b"".join(map(write, events))
    rng, reader, heard, at = Random(seed), EventReader(), [], 0
    while at < len(data):
        size = 1 if seed == 0 else rng.randrange(1, 99)
        heard += list(reader.feed(data[at : at + size]))
        at += size
    assert heard == events


def test_data_may_stand_in_the_line_too() -> None:
    line = b'{"type": "ping", "data": {"text": "a"}, "data_length": null}\n'
    assert read(line) == [Event("ping", {"text": "a"})]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "not_json"),
        (b"[]\n", "not_json"),
        (b"{}\n", "not_json"),
        (b'{"type": 1}\n', "not_json"),
        (b'{"type": "a", "data": []}\n{', None),
        (b'{"type": "a", "data": "x"}\n', "not_json"),
        (b'{"type": "a", "data_length": 2}\n[]', "not_json"),
        (b'{"type": "a", "data_length": -1}\n', "bad_field"),
        (b'{"type": "a", "payload_length": true}\n', "bad_field"),
        (b'{"type": "a", "payload_length": 99999999999}\n', "too_big"),
        (b'{"type": "a", "data_length": 99999999999}\n', "too_big"),
        (b"x" * 70_000, "too_big"),
    ],
)
def test_framing_that_makes_no_sense_raises(data: bytes, code: str | None) -> None:
    if code is None:
        assert read(data) == [Event("a")]
        return
    with pytest.raises(WireError) as caught:
        read(data)
    assert caught.value.code == code


def test_an_utterance_becomes_actions_and_one_transcript() -> None:
    wyoming = begin()
    asked = answers(
        wyoming,
        Event("transcribe", {"language": "en-GB", "name": "mine"}),
        Event("audio-start", FORMAT | {"timestamp": 0}),
        Event("audio-chunk", FORMAT, b"ab"),
        Event("audio-chunk", {}, b"cd"),
        Event("audio-stop", {"timestamp": 5}),
    )
    assert asked == [Listen(Start()), Hear(b"ab"), Hear(b"cd"), Flush()]
    told = tell(
        wyoming, Partial(0, "turn", 0, 1), final("turn on"), final("the light"), Flushed(None)
    )
    assert [event.type for event in told] == [
        "transcript-start",
        "transcript-chunk",
        "transcript-chunk",
        "transcript-chunk",
        "transcript",
        "transcript-stop",
    ]
    pieces = "".join(e.data["text"] for e in told if e.type == "transcript-chunk")
    assert pieces == told[4].data["text"] == "turn on the light"
    assert [event.type for event in tell(wyoming, Flushed(None))] == ["transcript"]


def test_a_chunk_alone_begins_and_a_stop_alone_is_an_empty_transcript() -> None:
    wyoming = begin()
    assert answers(wyoming, Event("audio-chunk", FORMAT, b"ab")) == [Listen(Start()), Hear(b"ab")]
    (empty,) = answers(begin(), Event("audio-stop"))
    assert empty == Event("transcript", {"text": "", "language": "en"})


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Event("audio-start", FORMAT | {"rate": 1}), "audio-format"),
        (Event("audio-start", FORMAT | {"width": 1}), "audio-format"),
        (Event("audio-start", FORMAT | {"channels": "1"}), "audio-format"),
        (Event("audio-chunk"), "audio-format"),
        (Event("transcribe", {"language": "de"}), "unsupported-language"),
        (Event("transcribe", {"name": "other"}), "unsupported-model"),
        (Event("synthesize", {"text": "hello"}), "unsupported"),
    ],
)
def test_what_is_not_available_is_an_error_and_the_connection_goes_on(
    event: Event, code: str
) -> None:
    wyoming = begin()
    (error,) = answers(wyoming, event)
    assert (error.type, error.data["code"]) == ("error", code)
    assert answers(wyoming, Event("ping", {"text": "?"})) == [Event("pong", {"text": "?"})]


def test_the_format_may_not_change_inside_an_utterance_nor_before_its_transcript() -> None:
    wyoming = begin()
    other = FORMAT | {"rate": 8000}
    answers(wyoming, Event("audio-start", FORMAT))
    *forget, error = answers(wyoming, Event("audio-chunk", other, b"ab"))
    assert forget == [Clear(), Mark()]
    assert error.data["code"] == "audio-format"
    answers(wyoming, Event("audio-start", FORMAT), Event("audio-stop"))
    (error,) = answers(wyoming, Event("audio-start", other))
    assert error.data["code"] == "audio-format"
    tell(wyoming, Flushed(None))
    (listen,) = answers(wyoming, Event("audio-start", other))
    assert isinstance(listen, Listen)


def test_the_next_utterance_need_not_wait_for_the_last_transcript() -> None:
    wyoming = begin()
    start, stop = Event("audio-start", FORMAT), Event("audio-stop")
    asked = answers(wyoming, start, stop, start, Event("audio-chunk", FORMAT, b"ab"), stop)
    assert asked == [Listen(Start()), Flush(), Hear(b"ab"), Flush()]
    told = tell(wyoming, final("a"), Flushed(None), final("b"), Flushed(None))
    assert [e.data["text"] for e in told if e.type == "transcript"] == ["a", "b"]


def test_a_start_without_a_stop_forgets_what_was_said() -> None:
    wyoming = begin()
    answers(wyoming, Event("audio-start", FORMAT), Event("audio-chunk", FORMAT, b"ab"))
    assert answers(wyoming, Event("audio-start", FORMAT)) == [Clear(), Mark()]
    tell(wyoming, final("forgotten"), Marked(None, 1))
    told = tell(wyoming, final("new"), Flushed(None))
    assert [e.data["text"] for e in told if e.type == "transcript"] == ["new"]


def test_the_end_of_the_session_tells_what_was_heard() -> None:
    closed = Closed("drain", 0, 0.0, 0, 0, 0.0, 0.0, 0.0)
    assert tell(begin(), closed) == [Hangup()]
    *_, transcript, _, hangup = tell(begin(), final("a"), closed)
    assert transcript.data["text"] == "a"
    assert hangup == Hangup()
    error, hangup = tell(begin(), Error("too_big", "much"))
    assert error == Event("error", {"text": "much", "code": "too_big"})


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans())
def test_any_bytes_are_answered_or_refused_however_they_are_cut(
    parts: list[bytes], is_framed: bool
) -> None:
    if is_framed:
        parts = [json.dumps({"type": part.decode("latin-1")}).encode() + b"\n" for part in parts]
    whole = b"".join(parts)
    assert outcome(parts) == outcome([whole[at : at + 1] for at in range(len(whole))])


def outcome(parts: list[bytes]) -> tuple[list[Action], str]:
    """What comes of bytes, up to the refusal; any other exception is a fault."""
    wyoming, actions = begin(), list[Action]()
    for part in parts:
        try:
            actions += wyoming.receive(part)
        except WireError as error:
            return [], error.code
    return actions, ""
