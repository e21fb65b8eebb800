from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import Flush, Hangup, Hear, Listen, Request, Say, Stop, Told
from streamasr.core.dialects.openai_realtime import ENTRANCE, Realtime
from streamasr.core.events import Final, Partial, SpeechEnded, SpeechStarted, Word
from streamasr.core.messages import Closed, Error, Flushed

SECOND = "AAAA" * 12_000  # base64 of 36 000 bytes
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": SECOND})
COMMIT = '{"type": "input_audio_buffer.commit"}'
MANUAL = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}


def begin(*subprotocols: str, beta: str = "") -> Realtime:
    dialect = ENTRANCE.open(Request("0a1b", {}, subprotocols, model="mine", beta=beta))
    assert isinstance(dialect, Realtime)
    return dialect


def manual() -> Realtime:
    realtime = begin()
    realtime.receive(json.dumps({"type": "session.update", "session": MANUAL}))
    return realtime


def tell(realtime: Realtime, *told: Told) -> list[Any]:
    replies = [reply for message in told for reply in realtime.tell(message)]
    return [json.loads(reply) if isinstance(reply, str) else reply for reply in replies]


def kinds(replies: list[Any]) -> list[str]:
    return [reply["type"].rpartition(".")[2] for reply in replies]


def final(text: str, utterance: int = 0) -> Final:
    words = (Word(text, 0, 16_000, 0.5),)
    return Final(utterance, text, 0, 16_000, words, 0.5, "silence")


def said(action: object) -> dict[str, Any]:
    assert isinstance(action, Say)
    body = json.loads(action.frame)
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize(
    ("realtime", "kind"),
    [
        (begin("realtime"), "session.created"),
        (begin(beta="realtime=v1"), "transcription_session.created"),
        (begin("realtime", "openai-beta.realtime-v1"), "transcription_session.created"),
        (begin("realtime", "realtime-token.x"), "conversation.created"),
    ],
    ids=["ga", "beta by header", "beta by subprotocol", "nvidia"],
)
def test_each_flavour_is_greeted_in_its_own_way(realtime: Realtime, kind: str) -> None:
    (action,) = realtime.greet()
    assert said(action)["type"] == kind


def test_audio_opens_the_stream_once_and_commits_flush_it() -> None:
    realtime = begin()
    listen, hear = realtime.receive(APPEND)
    assert isinstance(listen, Listen)
    assert isinstance(hear, Hear)
    assert len(realtime.receive(APPEND)) == 1
    assert realtime.receive(COMMIT) == [Flush()]
    (error,) = realtime.receive(COMMIT)
    assert said(error)["error"]["code"] == "input_audio_buffer_commit_empty"
    by_hand = manual()
    by_hand.receive(APPEND)
    assert by_hand.receive(COMMIT) == [Flush(1)]


def test_a_turn_is_an_item_whose_deltas_only_grow() -> None:
    realtime = begin()
    told = tell(
        realtime,
        SpeechStarted(0, 1600),
        Partial(0, "turn", 0, 1),
        Partial(0, "burn the", 0, 1),  # the recogniser changed its mind
        Partial(0, "turn the", 0, 1),
        final("turn the light"),
        SpeechEnded(0, 32_000),
    )
    assert kinds(told) == [
        "speech_started",
        "delta",
        "delta",
        "delta",
        "speech_stopped",
        "committed",
        "added",
        "done",
        "completed",
    ]
    assert [t["delta"] for t in told[1:4]] == ["turn", " the", " light"]
    assert (told[0]["audio_start_ms"], told[4]["audio_end_ms"]) == (100, 2000)
    assert told[-1]["transcript"] == "turn the light"
    (next_started,) = tell(realtime, SpeechStarted(1, 40_000))
    assert next_started["item_id"] != told[0]["item_id"]


def test_what_is_committed_by_hand_is_one_item() -> None:
    realtime = manual()
    told = tell(
        realtime,
        SpeechStarted(0, 0),
        final("a"),
        SpeechEnded(0, 1),
        SpeechStarted(1, 2),
        Partial(1, "b", 0, 1),
        final("b c", 1),
        SpeechEnded(1, 3),
        Flushed(1),
    )
    assert "".join(t["delta"] for t in told if "delta" in t) == "a b c"
    assert told[-1]["transcript"] == "a b c"
    assert kinds(told)[-4:] == ["committed", "added", "done", "completed"]


def test_nothing_heard_is_lost_at_the_end() -> None:
    realtime = manual()
    closed = Closed("drain", 0, 0.0, 0, 0, 0.0, 0.0, 0.0)
    told = tell(realtime, SpeechStarted(0, 0), final("a"), SpeechEnded(0, 1), closed)
    assert told[-2]["transcript"] == "a"
    assert told[-1] == Hangup(1001, "drain")


def test_nvidia_commits_pieces_and_asks_for_a_last_result() -> None:
    riva = begin("realtime", "realtime-token.x")
    riva.receive(APPEND)
    assert riva.receive(COMMIT) == ()
    forced = json.loads(APPEND) | {"runtime_config": {"force_eou": "true"}}
    assert riva.receive(json.dumps(forced))[-1] == Flush()
    assert riva.receive('{"type": "input_audio_buffer.done"}') == [Stop()]
    closed = Closed("stop", 0, 0.0, 0, 0, 0.0, 0.0, 0.0)
    told = tell(riva, final("a"), SpeechEnded(0, 1), final("b", 1), SpeechEnded(1, 2), closed)
    results = [t for t in told if isinstance(t, dict) and "is_last_result" in t]
    assert [t["transcript"] for t in results] == ["a", "b", "a b"]
    assert [t["is_last_result"] for t in results] == [False, False, True]


def test_a_failure_is_an_error_and_the_end() -> None:
    error, hangup = tell(begin(), Error("busy", "no room"))
    assert error["error"]["type"] == "server_error"
    assert hangup == Hangup(1013, "busy")


def test_the_audio_cannot_change_under_way() -> None:
    realtime = begin()
    realtime.receive(APPEND)
    form = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    (error,) = realtime.receive(json.dumps({"type": "session.update", "session": form}))
    assert said(error)["error"]["param"] == "session"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "audio", "input", "format", "rate", "turn_detection", "transcription",
             "input_audio_format", "input_audio_params", "num_channels", "sample_rate_hz",
             "silence_duration_ms", "threshold", "keywords", "language", "word_boosting",
             "enable_word_boosting", "word_boosting_list", "boost", "phrases", "include"]
        ),
        inner | st.sampled_from(["audio/pcm", "pcm16", "server_vad", "transcription"]),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=50)
@given(st.sampled_from(["session.update", "transcription_session.update"]), JSON)
def test_no_configuration_does_anything_but_an_update_or_an_error(kind: str, session: Any) -> None:
    (action,) = begin().receive(json.dumps({"type": kind, "session": session}))
    assert said(action)["type"].endswith((".updated", "error"))
