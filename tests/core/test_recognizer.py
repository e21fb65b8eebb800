"""The synchronous driver: blocks in, events out, slots given back."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from streamasr.core.events import Final, Gap, SpeechEnded, SpeechStarted
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.errors import CapacityError, StreamClosed
from tests.fakes import FACTS, ScriptedEngine, check_promises, cuts, silence, talk, texts, tone

OPEN = StreamOptions(vad=False)
CLIP = Path(__file__).parents[1] / "data" / "1970-28415-0030.flac"


def test_the_fake_is_an_engine() -> None:
    engine: Engine = ScriptedEngine()
    assert Recognizer(engine).facts is FACTS


def test_audio_in_events_out() -> None:
    events = []
    audio = talk(Random(1))
    with Recognizer(ScriptedEngine()).stream(OPEN) as stream:
        for block in cuts(audio, Random(2)):
            events += stream.accept(block)
        events += stream.finish()
        assert stream.position == len(audio)
    check_promises(events)
    assert texts(events)


def test_real_speech_opens_the_default_gate() -> None:
    speech, _ = soundfile.read(CLIP, dtype="float32")
    with Recognizer(ScriptedEngine()).stream() as stream:
        events = stream.accept(np.concatenate([silence(0.5), speech, silence(1.0)]))
        assert stream.finish() == []
    check_promises(events)
    assert isinstance(events[0], SpeechStarted)
    assert isinstance(events[-1], SpeechEnded)
    assert texts(events)


def test_every_call_returns_what_it_caused() -> None:
    with Recognizer(ScriptedEngine()).stream(OPEN) as stream:
        stream.accept(tone(0.5))
        assert isinstance(stream.flush()[-1], SpeechEnded)
        assert stream.gap(160) == [Gap(8000, 160)]
        stream.accept(tone(0.5))
        stream.reset()
        assert stream.finish() == []
        with pytest.raises(StreamClosed):
            stream.accept(tone(0.1))


def test_a_slot_is_given_back_once() -> None:
    engine = ScriptedEngine(capacity=1)
    recognizer = Recognizer(engine)
    stream = recognizer.stream()
    with pytest.raises(CapacityError):
        recognizer.stream()
    stream.close()
    stream.close()
    assert engine.open_slots == 0
    with recognizer.stream() as again:
        assert engine.open_slots == 1
        again.finish()
    assert engine.open_slots == 0


def test_a_stream_starts_fresh_in_a_used_slot() -> None:
    engine = ScriptedEngine(capacity=1)
    finals = []
    for _ in range(2):
        with Recognizer(engine).stream(OPEN) as stream:
            finals.append(
                [e for e in stream.accept(tone(1.0)) + stream.finish() if isinstance(e, Final)]
            )
    assert finals[0] == finals[1] != []
