from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import Hangup, Hear, Listen, Refused, Stop, Told
from streamasr.core.dialects.files import END
from streamasr.core.dialects.openai_files import (
    FORMATS,
    KNOWN,
    Options,
    Transcription,
    read_options,
)
from streamasr.core.events import Final, Word
from streamasr.core.messages import Closed, Error, WireError

CLOSED = Closed("stop", 24_000, 1.5, 1, 2, 0.0, 0.0, 0.0)


def final(text: str, start: int) -> Final:
    return Final(
        0, text, start, start + 8000, (Word(text, start, start + 8000, 0.5),), 0.5, "silence"
    )


def told(options: Options, *messages: Told) -> list[Any]:
    dialect = Transcription(options)
    return [reply for message in messages for reply in dialect.tell(message)]


def test_frames_become_actions() -> None:
    dialect = Transcription(Options())
    (listen,) = dialect.greet()
    assert isinstance(listen, Listen)
    assert dialect.receive(b"audio") == [Hear(b"audio")]
    assert dialect.receive(END) == [Stop()]
    with pytest.raises(WireError, match="damaged"):
        dialect.receive("damaged")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_words(form: str) -> None:
    body, hangup = told(Options(form), final("a", 0), final("b", 16_000), CLOSED)
    assert hangup == Hangup(200)
    assert "a" in body
    assert "b" in body
    if form == "verbose_json":
        segments = json.loads(body)["segments"]
        assert [(s["start"], s["end"], s["text"]) for s in segments] == [
            (0, 0.5, "a"),
            (1, 1.5, "b"),
        ]


def test_a_stream_is_events() -> None:
    *events, hangup = told(Options(stream=True), final("a", 0), final("b", 16_000), CLOSED)
    bodies = [event.removeprefix("data: ").strip() for event in events]
    assert [json.loads(body)["type"] for body in bodies[:-1]] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert bodies[-1] == "[DONE]"
    assert hangup == Hangup(200)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (Error("audio_format", "no"), 400),
        (Error("busy", "no"), 503),
        (Error("internal", "no"), 500),
        (Closed("drain", 0, 0.0, 0, 0, 0.0, 0.0, 0.0), 503),
    ],
)
def test_what_went_wrong_is_an_error_with_its_status(message: Told, status: int) -> None:
    body, hangup = told(Options(), message)
    assert json.loads(body)["error"]["message"]
    assert hangup == Hangup(status)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), st.lists(st.text(), max_size=2)))
def test_no_form_does_anything_but_work_or_be_refused(form: dict[str, list[str]]) -> None:
    try:
        options = read_options(form, "mine")
    except Refused:
        return
    assert options.form in FORMATS
