"""Clients of vosk-server, which ask and wait for each answer, against the daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.dialects.conftest import Clip, Served, blocks
from tests.edge.daemon import daemon


def ask(socket: ClientConnection, frame: str | bytes) -> dict[str, Any]:
    """One frame out, one frame in."""
    socket.send(frame)
    answer = json.loads(socket.recv(timeout=20))
    assert isinstance(answer, dict)
    return answer


def converse(served: Served, config: dict[str, Any], audio: bytes) -> list[dict[str, Any]]:
    with connect(served.ws, proxy=None) as socket:
        socket.send(json.dumps({"config": config}))
        rate = config.get("sample_rate", 8000)
        answers = [ask(socket, block) for block in blocks(audio, rate * 2 // 5)]
        answers.append(ask(socket, '{"eof" : 1}'))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
    return answers


def test_a_lock_step_client_reads_the_words(served: Served, clip: Clip) -> None:
    answers = converse(served, {"sample_rate": 16_000}, clip.pcm())
    clip.check(" ".join(answer["text"] for answer in answers if answer.get("text")))
    partials = [answer["partial"] for answer in answers if "partial" in answer]
    assert any(partials)
    words = [word for answer in answers for word in answer.get("result", [])]
    assert [word["word"] for word in words] == " ".join(
        answer.get("text", "") for answer in answers
    ).split()
    assert all(0 <= word["conf"] <= 1 and word["start"] < word["end"] for word in words)


def test_audio_of_a_telephone_needs_no_configuration(served: Served, clip: Clip) -> None:
    with connect(served.ws, proxy=None) as socket:
        answers = [ask(socket, block) for block in blocks(clip.pcm(8000), 4000)]
        answers.append(ask(socket, '{"eof" : 1}'))
    heard = " ".join(answer["text"] for answer in answers if answer.get("text"))
    assert len(heard.split()) > 5  # the model knows little of narrow bands


def test_alternatives_come_without_words_when_asked(served: Served, clip: Clip) -> None:
    config = {"sample_rate": 16_000, "max_alternatives": 3, "words": 0}
    answers = converse(served, config, clip.pcm())
    best = [answer["alternatives"][0] for answer in answers if "alternatives" in answer]
    clip.check(" ".join(item["text"] for item in best if item["text"]))
    assert all(set(item) == {"text", "confidence"} for item in best)


def test_alternatives_differ_and_the_best_is_the_result(served: Served, clip: Clip) -> None:
    plain = converse(served, {"sample_rate": 16_000}, clip.pcm())
    answers = converse(served, {"sample_rate": 16_000, "max_alternatives": 5}, clip.pcm())
    ways = [answer["alternatives"] for answer in answers if answer.get("alternatives")]
    assert [way[0]["text"] for way in ways] == [a["text"] for a in plain if "text" in a]
    for way in ways:
        texts = [item["text"] for item in way]
        assert len(set(texts)) == len(texts) <= 5
        sure = [item["confidence"] for item in way]
        assert sure == sorted(sure, reverse=True)
        for item in way:
            assert [w["word"] for w in item.get("result", [])] == item["text"].split()
    assert max(map(len, ways)) > 1


def test_a_phrase_list_is_all_that_can_be_said(served: Served, clip: Clip) -> None:
    said = clip.text.split()
    begin = " ".join(said[:4])

    def heard(*phrases: str) -> list[str]:
        config = {"sample_rate": 16_000, "phrase_list": phrases}
        return " ".join(a.get("text", "") for a in converse(served, config, clip.pcm())).split()

    words = heard(begin, "turn on the light", "[unk]")
    assert set(words) <= {*said[:4], "turn", "on", "the", "light", "[unk]"}
    assert " ".join(words).startswith(begin)
    assert "[unk]" in words[4:]
    assert "light" not in words
    assert set(heard("yes", "no")) <= {"yes", "no"}


def test_a_phrase_list_that_nobody_can_say_closes_the_connection(served: Served) -> None:
    with connect(served.ws, proxy=None) as socket:
        socket.send('{"config": {"phrase_list": ["xqzzt"]}}')
        socket.send(bytes(320))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert "xqzzt" in closed.value.rcvd.reason


def test_a_reset_ends_the_utterance_and_goes_on(served: Served, clip: Clip) -> None:
    with connect(served.ws, proxy=None) as socket:
        socket.send('{"config": {"sample_rate": 16000}}')
        for _ in range(2):
            heard = [ask(socket, block) for block in blocks(clip.pcm(), 32_000)]
            heard.append(ask(socket, '{"reset" : 1}'))
            clip.check(" ".join(answer["text"] for answer in heard if answer.get("text")))
        assert ask(socket, '{"eof" : 1}') == {"text": ""}


def test_nothing_at_all_is_an_empty_result(served: Served) -> None:
    with connect(served.ws, proxy=None) as socket:
        assert ask(socket, '{"eof" : 1}') == {"text": ""}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 1008),
        ("[]", 1008),
        ('"eof"', 1008),
        ("{}", 1008),
        ('{"config": 7}', 1008),
        ('{"config": {"sample_rate": "fast"}}', 1008),
        ('{"config": {"sample_rate": 1e999}}', 1008),
        ('{"config": {"model": "/etc/passwd"}}', 1008),
        ('{"config": {"phrase_list": [1]}}', 1008),
        ("x" * 70_000, 1009),
        (b"\0" * 1_500_000, 1009),
    ],
)
def test_what_makes_no_sense_ends_in_a_close_that_says_why(
    served: Served, frame: str | bytes, code: int
) -> None:
    with connect(served.ws, proxy=None) as socket:
        socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert closed.value.rcvd.reason


async def test_a_drained_client_gets_what_it_said() -> None:
    from websockets.asyncio.client import connect as open_websocket

    from tests.edge.daemon import pcm
    from tests.fakes import tone

    async with daemon() as running, open_websocket(running.url, proxy=None) as socket:
        await socket.send('{"config": {"sample_rate": 16000}}')
        for block in blocks(pcm(tone(1.0)), 3200):
            await socket.send(block)
            await socket.recv()
        await running.service.drain()
        answers = [json.loads(answer) async for answer in socket]
        assert answers
        assert answers[0]["text"]
        assert socket.close_code == 1001
