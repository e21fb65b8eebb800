from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import Flush, Hangup, Hear, Listen, Mark, Marked, Reply, Stop, Told
from streamasr.core.dialects.vosk import Vosk
from streamasr.core.events import Alternative, Final, Partial, SpeechEnded, SpeechStarted, Word
from streamasr.core.messages import Closed, Error, Flushed, Start, WireError

CLOSED = Closed("stop", 16_000, 1.0, 1, 2, 0.0, 0.0, 0.0)


def final(text: str, start: int = 0) -> Final:
    words = tuple(
        Word(word, start + 8000 * i, start + 8000 * i + 4000, 0.5)
        for i, word in enumerate(text.split())
    )
    return Final(0, text, start, start + 16_000, words, 0.5, "silence")


def tell(vosk: Vosk, *told: Told) -> list[object]:
    replies: list[Reply] = []
    for message in told:
        replies += vosk.tell(message)
    return [json.loads(reply) if isinstance(reply, str) else reply for reply in replies]


def test_the_first_audio_opens_the_stream_and_each_piece_is_marked() -> None:
    vosk = Vosk()
    assert vosk.greet() == ()
    assert vosk.receive('{"config": {"sample_rate": 44100.0, "phrase_list": ["no"]}}') == ()
    start = Start(sample_rate=44_100, grammar=("no",))
    assert vosk.receive(b"ab") == [Listen(start), Hear(b"ab"), Mark()]
    assert vosk.receive(b"") == [Hear(b""), Mark()]
    assert vosk.receive('{"reset":1}') == [Flush()]
    assert vosk.receive('{"eof" : 1}') == [Stop()]


def test_phrases_are_a_grammar() -> None:
    vosk = Vosk()
    vosk.receive('{"config": {"phrase_list": ["lights on", "[unk]", ""]}}')
    (listen, _) = vosk.receive('{"eof" : 1}')
    assert isinstance(listen, Listen)
    assert listen.start.grammar == ("lights on", "[unk]")
    with pytest.raises(WireError, match="words"):
        vosk.receive(json.dumps({"config": {"phrase_list": ["on and on"] * 1000}}))


@pytest.mark.parametrize(("wanted", "others"), [(1, 0), (2, 1), (3, 2), (1000, 20), (-1, 0)])
def test_other_readings_are_asked_for_as_they_are_wanted(wanted: int, others: int) -> None:
    vosk = Vosk()
    vosk.receive(json.dumps({"config": {"max_alternatives": wanted}}))
    (listen, *_) = vosk.receive(b"")
    assert isinstance(listen, Listen)
    assert listen.start.alternatives == others


def test_alternatives_have_texts_confidences_and_words_of_their_own() -> None:
    vosk = Vosk()
    vosk.receive('{"config": {"max_alternatives": 2}}')
    other, worse = (
        Alternative(text, sure, (Word(text, 0, 4000, 0.25),))
        for text, sure in (("b", 0.3), ("c", 0.1))
    )
    first = replace(final("a"), alternatives=(other, worse))
    word = {"conf": 0.5, "start": 0.0, "end": 0.25, "word": "a"}
    assert tell(vosk, first, Flushed(None)) == [
        {
            "alternatives": [
                {"confidence": 0.5, "result": [word], "text": "a"},
                {"confidence": 0.3, "result": [{**word, "conf": 0.25, "word": "b"}], "text": "b"},
            ]
        }
    ]
    told = tell(vosk, first, final("d"), Flushed(None))  # two utterances, of which one was clear
    assert [way["text"] for way in told[0]["alternatives"]] == ["a d", "b d"]  # type: ignore[index]
    assert tell(vosk, Flushed(None)) == [{"alternatives": [{"confidence": 1.0, "text": ""}]}]


def test_every_mark_is_one_answer_whatever_happened() -> None:
    vosk = Vosk()
    assert tell(vosk, SpeechStarted(0, 0), Marked(None, 1)) == [{"partial": ""}]
    assert tell(vosk, Partial(0, "a b", 0, 1), Marked(None, 2)) == [{"partial": "a b"}]
    told = tell(vosk, final("a b"), SpeechEnded(0, 1), final("c", 32_000), Marked(None, 3))
    assert told == [
        {
            "result": [
                {"conf": 0.5, "start": 0.0, "end": 0.25, "word": "a"},
                {"conf": 0.5, "start": 0.5, "end": 0.75, "word": "b"},
                {"conf": 0.5, "start": 2.0, "end": 2.25, "word": "c"},
            ],
            "text": "a b c",
        }
    ]
    assert tell(vosk, Marked(None, 4)) == [{"partial": ""}]


def test_what_is_open_at_the_end_is_told_before_the_close() -> None:
    vosk = Vosk()
    vosk.receive('{"config": {"words": false}}')
    assert tell(vosk, final("a"), CLOSED) == [{"text": "a"}, Hangup(1000)]
    assert tell(vosk, final("a"), Flushed(None)) == [{"text": "a"}]
    drained = Closed("drain", 0, 0.0, 0, 0, 0.0, 0.0, 0.0)
    assert tell(vosk, drained) == [Hangup(1001, "drain")]
    assert tell(vosk, final("a"), drained) == [{"text": "a"}, Hangup(1001, "drain")]
    odd = Error("audio_format", "half a sample")
    assert tell(vosk, final("a"), odd) == [{"text": "a"}, Hangup(1000)]


def test_the_spaces_are_those_of_the_original() -> None:
    (reply,) = Vosk().tell(Marked(None, 1))
    assert reply == '{\n  "partial" : ""\n}'


def test_a_reason_fits_into_a_close_frame() -> None:
    (hangup,) = Vosk().tell(Error("bad_field", "ä" * 200))
    assert isinstance(hangup, Hangup)
    assert hangup.code == 1008
    assert len(hangup.reason.encode()) <= 123


@settings(max_examples=50)
@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), lambda s: st.lists(s)))
def test_no_text_frame_does_anything_but_raise(value: object) -> None:
    text = value if isinstance(value, str) else json.dumps({"config": value})
    with pytest.raises(WireError):
        Vosk().receive(text)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["sample_rate", "words", "max_alternatives", "phrase_list", "model"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_no_configuration_does_anything_but_work_or_raise(config: dict[str, object]) -> None:
    vosk = Vosk("mine")
    try:
        vosk.receive(json.dumps({"config": config}))
        opened: Iterable[object] = vosk.receive(b"")
    except WireError:
        return
    assert any(isinstance(action, Listen) for action in opened)
