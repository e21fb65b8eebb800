import json
import random

import pytest

from streamasr.core.events import Final, Gap, Partial, SpeechEnded, SpeechStarted, Word
from streamasr.core.hotwords import MOST, HotWord
from streamasr.core.messages import (
    CLIENT_TYPES,
    ERRORS,
    MAX_TEXT_BYTES,
    SERVER_TYPES,
    Closed,
    Error,
    Flush,
    Flushed,
    Limits,
    Ready,
    ServerMessage,
    Start,
    Stop,
    WireError,
)
from streamasr.core.options import MOST_ALTERNATIVES
from streamasr.core.protocol import (
    CHECKS,
    MAX_ID_LENGTH,
    Dialogue,
    State,
    decode_client,
    decode_server,
    encode,
)
from streamasr.core.wordnet import MOST_WORDS

WORDS = (Word("hello", 100, 200, 0.9), Word("wörld", 300, 400, 0.5))
LIMITS = Limits(message_bytes=1, text_bytes=2, inbox_s=2.5, idle_s=3.0, session_s=4.0)
EXAMPLES: dict[str, ServerMessage] = {
    "ready": Ready("ab", 1, "en", "onnx", 16_000, 105.0, LIMITS, ("hotwords",)),
    "speech_started": SpeechStarted(0, 1600),
    "partial": Partial(0, "hello w", 100, 1280),
    "final": Final(0, "hello wörld", 100, 1900, WORDS, 0.7, "silence"),
    "speech_ended": SpeechEnded(0, 1900),
    "gap": Gap(5000, 320),
    "flushed": Flushed("a"),
    "error": Error("not_json", "what", "do this"),
    "closed": Closed("stop", 32_000, 2.0, 1, 2, 0.02, 0.01, 80.0),
}


@pytest.mark.parametrize("name", SERVER_TYPES)
def test_every_server_message_survives_the_wire(name: str) -> None:
    message = EXAMPLES[name]
    text = encode(message)
    assert json.loads(text)["type"] == name
    assert decode_server(text) == message
    assert decode_server(text.encode()) == message


@pytest.mark.parametrize(
    "message",
    [
        Start(),
        Start(encoding="mulaw", sample_rate=8000, channels=2, partials=False, words=False),
        Start(
            endpoint_ms=200,
            max_utterance_s=10.0,
            vad=False,
            hotwords=(HotWord("a"), HotWord("b c", 2.0, "K AE")),
            grammar=("b c",),
        ),
        Flush(),
        Flush(7),
        Flush("label"),
        Stop(),
    ],
)
def test_every_client_message_survives_the_wire(message: Start | Flush | Stop) -> None:
    assert decode_client(encode(message)) == message


def test_every_message_has_its_checks_and_its_example() -> None:
    assert set(CHECKS) == set(CLIENT_TYPES.values())
    assert set(EXAMPLES) == set(SERVER_TYPES)


def test_partials_leave_their_words_at_home() -> None:
    assert "words" not in json.loads(encode(Partial(0, "a", 0, 1, WORDS)))


def test_a_final_without_words_says_so() -> None:
    assert json.loads(encode(Final(0, "a", 0, 1, (), 1.0, "finish")))["words"] == []


def test_text_goes_as_it_is_and_numbers_with_four_decimals() -> None:
    text = encode(Final(0, "wörld", 0, 1, (Word("wörld", 0, 1, 0.98765432),), 0.12344999, "finish"))
    assert "wörld" in text
    assert '"confidence":0.9877' in text
    assert '"confidence":0.1234' in text


def test_what_json_cannot_say_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Final(0, "a", 0, 1, (), float("nan"), "finish"))


def test_the_longest_text_frame_is_read() -> None:
    frame = '{"type": "stop", "x": "' + "x" * MAX_TEXT_BYTES
    assert decode_client(frame[: MAX_TEXT_BYTES - 2] + '"}') == Stop()


def test_start_needs_no_fields() -> None:
    assert decode_client('{"type": "start"}') == Start()


def test_unknown_fields_are_ignored() -> None:
    assert decode_client('{"type": "stop", "mood": [1, {"a": null}]}') == Stop()
    assert decode_server('{"type": "gap", "at": 1, "samples": 2, "new": 3}') == Gap(1, 2)


REFUSED = [
    ("not_json", "", "not valid JSON"),
    ("not_json", "{", "not valid JSON"),
    ("not_json", '{"type": "stop"} x', "not valid JSON"),
    ("not_json", "[1]", "got a list"),
    ("not_json", "7", "got a number"),
    ("not_json", "null", "got null"),
    ("not_json", '{"type": "start", "max_utterance_s": NaN}', "NaN is not a JSON number"),
    ("not_json", '{"type": "start", "max_utterance_s": -Infinity}', "not a JSON number"),
    ("not_json", "[" * 50_000, "nested too deeply"),
    ("not_json", '{"type": "start", "version": ' + "9" * 5000 + "}", "not valid JSON"),
    ("unknown_type", "{}", "without a type"),
    ("unknown_type", '{"type": "begin"}', '"begin"'),
    ("unknown_type", '{"type": ["start"]}', "start"),
    ("unknown_type", '{"type": "ready"}', '"ready"'),
    ("unsupported_version", '{"type": "start", "version": 2}', "version 2"),
    ("unsupported_version", '{"type": "start", "version": true}', "version True"),
    ("unsupported_version", '{"type": "start", "version": "1"}', 'version "1"'),
    ("unsupported_version", '{"type": "start", "version": [1]}', "version"),
    ("bad_field", '{"type": "start", "encoding": "mp3"}', 'encoding is "mp3"'),
    ("bad_field", '{"type": "start", "encoding": 16}', "encoding is 16"),
    ("bad_field", '{"type": "start", "encoding": ["s16le"]}', "encoding is"),
    ("bad_field", '{"type": "start", "sample_rate": 7999}', "sample_rate is 7999"),
    ("bad_field", '{"type": "start", "sample_rate": 16000.5}', "sample_rate is 16000.5"),
    ("bad_field", '{"type": "start", "sample_rate": "16000"}', 'sample_rate is "16000"'),
    ("bad_field", '{"type": "start", "channels": 0}', "channels is 0"),
    ("bad_field", '{"type": "start", "channels": true}', "channels is True"),
    ("bad_field", '{"type": "start", "partials": 1}', "partials is 1"),
    ("bad_field", '{"type": "start", "vad": null}', "vad is None"),
    ("bad_field", '{"type": "start", "endpoint_ms": 10}', "endpoint_ms is 10"),
    ("bad_field", '{"type": "start", "max_utterance_s": 1e999}', "max_utterance_s is inf"),
    ("bad_field", '{"type": "start", "max_utterance_s": true}', "max_utterance_s is True"),
    ("bad_field", '{"type": "start", "hotwords": "one"}', 'hotwords is "one"'),
    ("bad_field", '{"type": "start", "hotwords": [7]}', "hotwords is 7"),
    ("bad_field", '{"type": "start", "hotwords": [{"boost": 1}]}', "hotwords is"),
    ("bad_field", '{"type": "start", "hotwords": [{"text": "a", "boost": "x"}]}', "hotwords is"),
    ("bad_field", '{"type": "start", "hotwords": [{"text": "a", "boost": 99}]}', "boost lies in"),
    ("bad_field", '{"type": "start", "decoder": "best"}', 'decoder is "best"'),
    ("bad_field", '{"type": "start", "grammar": [1]}', "grammar is"),
    ("bad_field", '{"type": "flush", "id": [1]}', "id is"),
    ("bad_field", '{"type": "flush", "id": "' + "x" * 300 + '"}', "id is"),
    ("too_big", '{"type": "stop", "x": "' + "x" * MAX_TEXT_BYTES + '"}', "text frame holds"),
]


@pytest.mark.parametrize(("code", "text", "fault"), REFUSED)
def test_what_is_wrong_is_named_with_its_code_and_remedy(code: str, text: str, fault: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_client(text)
    assert caught.value.code == code
    assert fault in caught.value.message
    assert caught.value.remedy
    assert len(str(caught.value)) < 400


LIMITS_OF_FIELDS = [
    ("start", "sample_rate", 8000, 7999),
    ("start", "sample_rate", 192_000, 192_001),
    ("start", "channels", 32, 33),
    ("start", "endpoint_ms", 120, 119),
    ("start", "endpoint_ms", 10_000, 10_001),
    ("start", "max_utterance_s", 1, 0.99),
    ("start", "max_utterance_s", 120, 120.1),
    ("start", "alternatives", 0, -1),
    ("start", "alternatives", MOST_ALTERNATIVES, MOST_ALTERNATIVES + 1),
    ("start", "grammar", ["a b"] * (MOST_WORDS // 2), ["a b"] * (MOST_WORDS // 2) + ["a"]),
    ("start", "hotwords", ["a"] * MOST, ["a"] * (MOST + 1)),
    ("flush", "id", "x" * MAX_ID_LENGTH, "x" * (MAX_ID_LENGTH + 1)),
    ("flush", "id", 2**53 - 1, 2**53),
]


@pytest.mark.parametrize(("kind", "name", "last", "beyond"), LIMITS_OF_FIELDS)
def test_the_last_value_is_taken_and_the_next_is_not(
    kind: str, name: str, last: object, beyond: object
) -> None:
    decode_client(json.dumps({"type": kind, name: last}))
    with pytest.raises(WireError, match=name):
        decode_client(json.dumps({"type": kind, name: beyond}))


def test_a_phrase_without_words_is_none() -> None:
    assert decode_client('{"type": "start", "grammar": [" ", "on", ""]}') == Start(grammar=("on",))


def test_a_long_value_is_quoted_in_part() -> None:
    with pytest.raises(WireError) as caught:
        decode_client(json.dumps({"type": "flush", "id": "x" * 300}))
    assert caught.value.message == 'id is "' + "x" * 56 + "..."


def test_an_unsupported_version_lists_those_that_are() -> None:
    with pytest.raises(WireError, match="this server speaks 1"):
        decode_client('{"type": "start", "version": 3, "encoding": 3}')


def fault_of(text: str) -> str | None:
    try:
        decode_client(text)
    except WireError as error:
        return error.code
    return None


@pytest.mark.parametrize("seed", range(20))
def test_garbage_gives_messages_or_wire_errors_and_nothing_else(seed: int) -> None:
    random_ = random.Random(seed)
    text = list(encode(Start(endpoint_ms=200, hotwords=(HotWord("a"), HotWord("b")))))
    for _ in range(500):
        damaged = text[: random_.randrange(len(text) + 1)] if random_.random() < 0.3 else text[:]
        for _ in range(random_.randrange(4)):
            if damaged:
                damaged[random_.randrange(len(damaged))] = random_.choice('"{}[]:,-0e\\\0é')
        code = fault_of("".join(damaged))
        assert code is None or code in ERRORS


@pytest.mark.parametrize(
    "text", ['{"type": "gap"}', '{"type": "final", "words": [1]}', '{"type": "x"}', "{"]
)
def test_a_server_that_makes_no_sense_is_a_wire_error(text: str) -> None:
    with pytest.raises(WireError):
        decode_server(text)


def test_a_session_goes_through_its_states() -> None:
    dialogue = Dialogue()
    assert dialogue.receive_text('{"type": "start"}') == Start()
    assert dialogue.receive_audio()
    assert dialogue.receive_text('{"type": "flush"}') == Flush()
    assert dialogue.receive_audio()
    assert dialogue.receive_text('{"type": "stop"}') == Stop()
    assert dialogue.state is State.CLOSING


@pytest.mark.parametrize("text", ['{"type": "flush"}', '{"type": "stop"}'])
def test_nothing_but_start_may_come_first(text: str) -> None:
    with pytest.raises(WireError, match=r"send .* first") as caught:
        Dialogue().receive_text(text)
    assert caught.value.code == "out_of_order"


def test_audio_before_start_says_what_was_expected() -> None:
    with pytest.raises(WireError, match=r"audio before start .*start") as caught:
        Dialogue().receive_audio()
    assert caught.value.code == "out_of_order"


def test_no_hot_words_is_another_wish_than_the_servers() -> None:
    for hotwords in (None, ()):
        assert decode_client(encode(Start(hotwords=hotwords))) == Start(hotwords=hotwords)


def test_a_second_start_is_out_of_order() -> None:
    dialogue = Dialogue()
    dialogue.receive_text('{"type": "start"}')
    with pytest.raises(WireError, match="second start"):
        dialogue.receive_text('{"type": "start"}')


def test_whatever_comes_while_closing_is_ignored() -> None:
    dialogue = Dialogue()
    dialogue.close()
    assert dialogue.receive_text("garbage") is None
    assert not dialogue.receive_audio()
