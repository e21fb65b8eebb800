"""The client of the wyoming package, and what Home Assistant says, against the daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, async_read_event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

from tests.dialects.conftest import Clip, Served, blocks


def client(served: Served) -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", served.wyoming)


async def read(wyoming: AsyncTcpClient) -> Event:
    async with asyncio.timeout(20):
        event = await wyoming.read_event()
    assert event is not None
    return event


async def speak(wyoming: AsyncTcpClient, audio: bytes, **form: int) -> list[Event]:
    """What Home Assistant does: say it all, then read until the transcript."""
    form = {"rate": 16_000, "width": 2, "channels": 1} | form
    await wyoming.write_event(Transcribe(language="en").event())
    await wyoming.write_event(AudioStart(**form).event())
    for block in blocks(audio, 2048):
        await wyoming.write_event(AudioChunk(audio=block, **form).event())
    await wyoming.write_event(AudioStop().event())
    events = [await read(wyoming)]
    while not Transcript.is_type(events[-1].type):
        events.append(await read(wyoming))
    return events


async def test_what_home_assistant_says_is_answered_by_a_transcript(
    served: Served, clip: Clip
) -> None:
    async with client(served) as wyoming:
        events = await speak(wyoming, clip.pcm())
        clip.check(Transcript.from_event(events[-1]).text)
        assert TranscriptStart.is_type(events[0].type)
        pieces = [TranscriptChunk.from_event(e).text for e in events[1:-1]]
        assert Transcript.from_event(events[-1]).text.startswith("".join(pieces)[:20])
        assert TranscriptStop.is_type((await read(wyoming)).type)


async def test_a_connection_takes_one_utterance_after_the_other(served: Served, clip: Clip) -> None:
    stereo = b"".join(sample * 2 for sample in blocks(clip.pcm(), 2))
    async with client(served) as wyoming:
        for audio, channels in ((clip.pcm(), 1), (stereo, 2), (b"", 1)):
            events = await speak(wyoming, audio, channels=channels)
            text = Transcript.from_event(events[-1]).text
            if audio:
                clip.check(text)
                assert TranscriptStop.is_type((await read(wyoming)).type)
            else:
                assert text == ""


async def test_utterances_may_be_said_before_they_are_answered(served: Served, clip: Clip) -> None:
    form = {"rate": 16_000, "width": 2, "channels": 1}
    texts: list[str] = []
    async with client(served) as wyoming:
        for _ in range(3):
            await wyoming.write_event(AudioStart(**form).event())
            await wyoming.write_event(AudioChunk(audio=clip.pcm(), **form).event())
            await wyoming.write_event(AudioStop().event())
        while len(texts) < 3:
            event = await read(wyoming)
            if Transcript.is_type(event.type):
                texts.append(Transcript.from_event(event).text)
    for text in texts:
        clip.check(text)


async def test_it_says_what_it_is(served: Served) -> None:
    async with client(served) as wyoming:
        await wyoming.write_event(Describe().event())
        info = Info.from_event(await read(wyoming))
        (program,) = info.asr
        assert program.supports_transcript_streaming
        assert [model.languages for model in program.models] == [["en"]]
        await wyoming.write_event(Ping(text="there?").event())
        assert Pong.from_event(await read(wyoming)).text == "there?"


async def test_what_it_does_not_do_is_an_error(served: Served) -> None:
    async with client(served) as wyoming:
        await wyoming.write_event(Transcribe(language="de").event())
        assert Error.from_event(await read(wyoming)).code == "unsupported-language"
        await wyoming.write_event(Event("synthesize", {"text": "hello"}))
        assert Error.from_event(await read(wyoming)).code == "unsupported"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
        b'{"type": "audio-chunk", "data_length": -1}\n',
        b"x" * 200_000,
        b"\x16\x03\x01\x02\x00\x01\n",
    ],
)
async def test_nonsense_gets_an_error_and_harms_nobody(
    served: Served, clip: Clip, data: bytes
) -> None:
    async def disturb() -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.wyoming)
        writer.write(data)
        event = await async_read_event(reader)
        await reader.read()
        writer.close()
        return event

    async with client(served) as wyoming:
        events, error = await asyncio.gather(speak(wyoming, clip.pcm()), disturb())
    clip.check(Transcript.from_event(events[-1]).text)
    assert Error.is_type(error.type)
