from __future__ import annotations

import json

import pytest

from streamasr.core.dialects import Flush, Hangup, Hear, Listen, Marked, Stop
from streamasr.core.dialects.native import ENTRANCE, Native
from streamasr.core.events import SpeechStarted
from streamasr.core.messages import Closed, Error, Start, WireError


def test_frames_become_actions() -> None:
    native = Native()
    assert native.greet() == ()
    assert native.receive('{"type": "start", "sample_rate": 8000}') == (
        Listen(Start(sample_rate=8000)),
    )
    assert native.receive(b"\0\0") == (Hear(b"\0\0"),)
    assert native.receive('{"type": "flush", "id": 7}') == (Flush(7),)
    assert native.receive('{"type": "stop"}') == (Stop(),)
    assert native.receive(b"late") == ()
    assert native.receive("late") == ()


def test_what_is_told_is_a_frame_and_the_last_hangs_up() -> None:
    native = Native()
    (frame,) = native.tell(SpeechStarted(0, 8000))
    assert json.loads(str(frame)) == {"type": "speech_started", "utterance": 0, "at": 8000}
    assert list(native.tell(Marked("key", 1))) == []
    assert list(native.tell(Closed("stop", 0, 0.0, 0, 0, 0.0, 0.0, 0.0)))[1] == Hangup(1000, "stop")
    assert list(native.tell(Error("busy", "no room")))[1] == Hangup(1013, "busy")


def test_what_makes_no_sense_raises() -> None:
    with pytest.raises(WireError):
        Native().receive(b"audio first")
    with pytest.raises(WireError):
        Native().receive("{")


def test_it_is_spoken_where_it_always_was() -> None:
    assert ENTRANCE.path == "/v1/stream"


def test_packets_of_opus_go_on_with_their_lengths() -> None:
    native = Native()
    native.receive('{"type": "start", "encoding": "opus"}')
    assert native.receive(b"abc") == (Hear(b"\0\x03abc"),)
    assert native.receive(b"") == (Hear(b""),)
    with pytest.raises(WireError, match="not Opus"):
        native.receive(bytes(2**16))
