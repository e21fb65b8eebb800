"""The client of the package wyoming against the service of commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.intent import Entity, Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from streamasr.app.mixing import read_clip
from streamasr.core.commands.wake import Spotter
from streamasr.core.recognizer import Engine
from streamasr.edge.commands.actions import Order
from streamasr.edge.commands.grammar import compile_sentences
from streamasr.edge.commands.listener import Listening
from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.commands.wake import make_spotter
from streamasr.edge.commands.wyoming import CommandService, serve_commands
from streamasr.edge.engines import open_engine
from streamasr.errors import BundleError, StreamasrError
from tests.conftest import DATA
from tests.edge.commands.test_listener import COFFEE, ORDER

OTHER = read_clip(DATA / "1970-28415-0030.flac")
FORM = {"rate": 16_000, "width": 2, "channels": 1}


@pytest.fixture(scope="module")
def engine(spoken_bundle: Path) -> Engine:
    return open_engine(spoken_bundle, device="cpu", decoder="graph", capacity=2)


class Served:
    """A service that runs, and what it was asked to do."""

    port: int
    service: CommandService

    def __init__(self) -> None:
        self.orders: list[Order] = []


@pytest.fixture
async def served(tmp_path: Path, engine: Engine) -> AsyncIterator[Served]:
    file = tmp_path / "home.toml"
    file.write_text(COFFEE)
    sentences = read_sentences(file)
    graph = engine.facts.graph
    assert graph is not None
    running = Served()
    running.service = service = CommandService(
        engine,
        Listening(
            compile_sentences(sentences, graph),
            new_spotter=lambda: make_spotter("surprised", {"threshold": -1.5}, graph, sentences),
            phrase="surprised",
        ),
        running.orders.append,
    )
    async with serve_commands(service, "127.0.0.1", 0) as running.port:
        yield running


async def read(client: AsyncTcpClient) -> Event:
    async with asyncio.timeout(30):
        event = await client.read_event()
    assert event is not None
    return event


async def say(client: AsyncTcpClient, samples: np.ndarray) -> None:
    pcm = (samples * 32_767).astype("<i2").tobytes()
    await client.write_event(AudioStart(**FORM).event())
    for start in range(0, len(pcm), 2048):
        await client.write_event(AudioChunk(audio=pcm[start : start + 2048], **FORM).event())
    await client.write_event(AudioStop().event())


async def test_home_assistants_pipeline(served: Served) -> None:
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Detect().event())
        await say(client, OTHER)
        found = Detection.from_event(await read(client))
        assert found.name == "surprised"
        assert found.timestamp is not None
        assert 1500 < found.timestamp < 3500
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Transcribe(language="en").event())
        await say(client, ORDER)
        text = Transcript.from_event(await read(client)).text
        assert text == "make me an eight ounce coffee"
    assert not served.orders
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Recognize(text="Make me an eight ounce coffee.").event())
        intent = Intent.from_event(await read(client))
        assert intent.name == "Order"
        assert intent.entities == [Entity("size", "eight ounce"), Entity("drink", "coffee")]
    (order,) = served.orders
    assert order.slots == {"size": "eight ounce", "drink": "coffee"}


async def test_what_is_no_command_gives_an_empty_transcript(served: Served) -> None:
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        for samples in (OTHER, np.zeros(0, np.float32)):
            await client.write_event(Transcribe().event())
            await say(client, samples)
            assert Transcript.from_event(await read(client)).text == ""
        await client.write_event(Recognize(text="open the door").event())
        assert NotRecognized.is_type((await read(client)).type)


async def test_a_wake_phrase_that_was_not_said(served: Served) -> None:
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Detect(names=["surprised"]).event())
        await say(client, ORDER)
        assert NotDetected.is_type((await read(client)).type)


async def test_open_connections_follow_what_is_listened_for(served: Served) -> None:
    clip = read_clip(DATA / "1970-28415-0030.flac")[: round(2.6 * 16_000)]  # "... surprised"
    pcm = (clip * 32_767).astype("<i2").tobytes()
    was = served.service.listening
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Detect().event())
        await client.write_event(AudioStart(**FORM).event())
        served.service.listening = replace(was, new_spotter=asleep, phrase="hey computer")
        await client.write_event(AudioChunk(audio=pcm, **FORM).event())
        await client.write_event(Describe().event())
        info = Info.from_event(await read(client))
        assert info.wake[0].models[0].phrase == "hey computer"
        served.service.listening = was
        await client.write_event(AudioChunk(audio=bytes(64_000) + pcm, **FORM).event())
        assert Detection.from_event(await read(client)).name == "surprised"
        served.service.listening = replace(was, new_spotter=broken)
        await client.write_event(AudioChunk(audio=pcm, **FORM).event())
        assert "no longer there" in Error.from_event(await read(client)).text


def asleep() -> Spotter:
    return Spotter([[("HH", "EY"), ("K", "AH", "M", "P", "Y", "UW", "T", "ER")]])


def broken() -> Spotter:
    raise BundleError("the word classifier is no longer there")


async def test_what_there_is(served: Served) -> None:
    async with AsyncTcpClient("127.0.0.1", served.port) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await read(client))
        assert info.asr[0].models[0].languages == ["en"]
        assert info.intent[0].name == "streamasr commands"
        assert info.wake[0].models[0].phrase == "surprised"
        await client.write_event(Ping(text="x").event())
        assert Pong.from_event(await read(client)).text == "x"


async def test_mistakes_are_answered_and_nobody_else_notices(served: Served) -> None:
    async with (
        AsyncTcpClient("127.0.0.1", served.port) as client,
        AsyncTcpClient("127.0.0.1", served.port) as other,
        AsyncTcpClient("127.0.0.1", served.port) as third,
    ):
        for event in (
            Event("synthesize"),
            Event("audio-start", {"rate": "fast"}),
            Event("audio-start", {"rate": 1, "width": 2, "channels": 1}),
            Event("audio-chunk", {}),
        ):
            await client.write_event(event)
            assert Error.is_type((await read(client)).type)
        for each in (client, other):  # both of the engine's streams
            await each.write_event(AudioStart(**FORM).event())
            await each.write_event(Ping().event())
            await read(each)
        await third.write_event(AudioStart(**FORM).event())
        assert Error.from_event(await read(third)).code == "busy"
        await client.write_event(AudioStop().event())
        assert Transcript.from_event(await read(client)).text == ""
        await say(third, ORDER)
        assert Transcript.from_event(await read(third)).text.endswith("coffee")
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"no json\n")
    assert b'"error"' in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_a_port_that_is_taken(served: Served, engine: Engine) -> None:
    service = CommandService(engine, None)  # type: ignore[arg-type]
    with pytest.raises(StreamasrError, match="cannot listen on"):
        async with serve_commands(service, "127.0.0.1", served.port):
            pass
