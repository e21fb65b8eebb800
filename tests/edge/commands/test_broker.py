from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from streamasr.edge.commands.actions import Order
from streamasr.edge.commands.broker import Broker, BrokerSettings
from streamasr.errors import ConfigError
from tests.edge.commands.conftest import Mosquitto, free_port, needs_mosquitto

ORDER = Order("TurnOn", {"name": "lamp"}, "turn on the lamp", 0.9)


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[None]:
    task = asyncio.create_task(broker.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def messages(port: int, topic: str, count: int) -> dict[str, aiomqtt.Message]:
    found: dict[str, aiomqtt.Message] = {}
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(topic)
        async for message in client.messages:
            found[str(message.topic)] = message
            if len(found) == count:
                break
    return found


def parsed(message: aiomqtt.Message) -> Any:
    assert isinstance(message.payload, bytes)
    return json.loads(message.payload)


@needs_mosquitto
async def test_home_assistant_finds_our_entities(mosquitto: Mosquitto) -> None:
    broker = Broker(BrokerSettings(port=mosquitto.port, id="den"), ["TurnOn", "TurnOff"])
    async with running(broker), asyncio.timeout(20):
        found = await messages(mosquitto.port, "homeassistant/#", 2)
        event = parsed(found["homeassistant/event/streamasr_den/command/config"])
        assert event["event_types"] == ["TurnOff", "TurnOn"]
        assert event["state_topic"] == "streamasr/den/event"
        assert event["availability_topic"] == "streamasr/den/status"
        last = parsed(found["homeassistant/sensor/streamasr_den/last/config"])
        assert last["state_topic"] == last["json_attributes_topic"] == "streamasr/den/last"
        (status,) = (await messages(mosquitto.port, "streamasr/den/status", 1)).values()
        assert status.payload == b"online"
        assert status.retain
        await broker.tell_intent(ORDER)
        (state,) = (await messages(mosquitto.port, "streamasr/den/last", 1)).values()
        assert parsed(state)["intent"] == "TurnOn"
        assert state.retain


@needs_mosquitto
async def test_who_leaves_says_so(mosquitto: Mosquitto) -> None:
    broker = Broker(BrokerSettings(port=mosquitto.port))
    async with asyncio.timeout(20):
        async with running(broker):
            await broker.publish("x", "y")
        (status,) = (await messages(mosquitto.port, "streamasr/streamasr/status", 1)).values()
    assert status.payload == b"offline"


@needs_mosquitto
async def test_when_we_vanish_the_broker_says_so(mosquitto: Mosquitto) -> None:
    broker = Broker(BrokerSettings(port=mosquitto.port, discovery=False))
    async with running(broker), asyncio.timeout(20):
        await broker.publish("x", "y")
        assert broker._client is not None
        socket = broker._client._client.socket()
        assert socket is not None
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            await client.subscribe("streamasr/streamasr/status")
            socket.shutdown(2)  # the line is cut, without a word
            async for message in client.messages:
                if message.payload == b"offline":
                    break


@needs_mosquitto
async def test_the_connection_comes_back_and_what_waited_is_sent(mosquitto: Mosquitto) -> None:
    told: list[str] = []
    was_told = asyncio.Event()

    def tell(text: str) -> None:
        told.append(text)
        was_told.set()

    mosquitto.stop()
    settings = BrokerSettings(port=mosquitto.port)
    broker = Broker(settings, first_wait_s=0.05, tell=tell)
    async with running(broker), asyncio.timeout(30):
        publishing = asyncio.create_task(broker.publish("lamp", "on", retain=True))
        await was_told.wait()
        assert not publishing.done()
        await asyncio.to_thread(mosquitto.start)
        await publishing
        found = await messages(mosquitto.port, "lamp", 1)
        assert found["lamp"].payload == b"on"
        assert "no connection to the MQTT broker 127.0.0.1" in told[0]
        assert told[1:] == ["connected to the MQTT broker again"]


async def test_without_a_broker_publishing_waits_for_its_time() -> None:
    broker = Broker(BrokerSettings(port=free_port()), tell=lambda text: None)
    async with running(broker):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await broker.publish("x", "y")


def test_settings(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("word\n")
    found = BrokerSettings.read({"host": "h", "password_file": "secret", "id": "a-b"}, tmp_path)
    assert found == BrokerSettings("h", password="word", id="a-b")
    assert found.topics == "streamasr/a-b"
    for table, complaint in (
        ({"colour": 1}, "unknown: 'colour'"),
        ({"port": "1883"}, "port cannot be '1883'"),
        ({"password_file": "none"}, "holds no secret"),
        ({"id": "a/b"}, "letters, digits"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            BrokerSettings.read(table, tmp_path)
