"""The port of Wyoming; what is said there stands in tests/dialects."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from streamasr.edge.settings import load
from streamasr.edge.wyoming import wyoming
from streamasr.errors import ConfigError
from tests.edge.daemon import daemon


async def test_it_can_be_switched_off() -> None:
    async with daemon(server__wyoming_port=-1) as running, wyoming(running.service) as port:
        assert port is None


async def test_a_port_that_is_taken_is_told_and_the_daemon_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        async with daemon(server__wyoming_port=number) as running, wyoming(running.service) as port:
            assert port is None
    assert "server.wyoming_port" in caplog.text


async def test_without_room_there_is_an_error() -> None:
    options = {"server__wyoming_port": 0, "limits__sessions": 1}
    async with daemon(**options) as running, wyoming(running.service) as port:
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await running.until(lambda: running.service.sessions == 1)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        head, data = (await reader.read()).split(b"\n")
        assert json.loads(head)["type"] == "error"
        assert json.loads(data)["code"] == "busy"
        first.close()
        second.close()
        await running.until(lambda: running.service.sessions == 0)


async def test_draining_ends_connections() -> None:
    async with daemon(server__wyoming_port=0) as running, wyoming(running.service) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await running.until(lambda: running.service.sessions == 1)
        assert await running.service.drain() == 0
        assert await reader.read() == b""
        writer.close()


def test_other_machines_need_a_clear_word() -> None:
    flags = {"server.wyoming_host": "0.0.0.0"}
    with pytest.raises(ConfigError, match="Wyoming"):
        load(flags=flags)
    assert load(flags=flags | {"server.insecure": True}).server.wyoming_host == "0.0.0.0"
    assert load(flags=flags | {"server.wyoming_port": -1})
