"""Three daemons behind the real HAProxy: what clients see when one dies and one drains."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from streamasr.core.events import Final
from streamasr.edge.client import connect
from streamasr.errors import StreamasrError
from tests.edge.daemon import pcm, pieces
from tests.edge.test_service import get
from tests.fakes import voice

CONFIG = Path(__file__).parents[1] / "deploy" / "haproxy" / "haproxy.cfg"
CLIENTS = 24
AUDIO = pieces(pcm(voice(6.0)))
"""Pieces of 100 ms."""
BEFORE = 10
"""Pieces that all have sent before anything happens."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="apt-get install haproxy"),
]


@asynccontextmanager
async def running(log: Path, *command: str, **environ: str) -> AsyncIterator[Process]:
    """A process until the block ends; what it logs goes to a file."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | environ, stderr=out
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def said(log: Path) -> str:
    return log.read_text()


@asynccontextmanager
async def daemon(model: Path, log: Path) -> AsyncIterator[tuple[Process, str]]:
    """``streamasr serve``, and its address."""
    flags = ["--port", "0", "--model", str(model), "--device", "cpu"]
    command = [sys.executable, "-m", "streamasr", "serve", *flags]
    async with running(log, *command, STREAMASR_SERVER_WYOMING_PORT="-1") as process:
        while not (found := re.search(r"ready on ws://(\S+?)/", said(log))):
            assert process.returncode is None, said(log)
            await asyncio.sleep(0.05)
        yield process, found[1]


@asynccontextmanager
async def balancer(log: Path, *daemons: str) -> AsyncIterator[str]:
    """HAProxy in front of three daemons; its address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    names = ("STREAMASR_ONE", "STREAMASR_TWO", "STREAMASR_THREE")
    environ = dict(zip(names, daemons, strict=True)) | {"STREAMASR_LISTEN": address}
    async with running(log, "haproxy", "-db", "-f", str(CONFIG), **environ) as process:
        while not await answers(address):
            assert process.returncode is None, said(log)
            await asyncio.sleep(0.05)
        yield address


async def answers(address: str) -> bool:
    try:
        return (await get(f"ws://{address}", "/readyz"))[0] == 200
    except (OSError, ValueError, IndexError):
        return False


class Crowd:
    """Clients that talk through the balancer, and what became of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: Counter[str] = Counter()
        self.unheard = 0
        """Sessions that ended in order and had sent more than was heard."""
        self.talking = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def talk(self) -> None:
        """One client, from the handshake to the last message."""
        try:
            async with connect(self.url, vad=False) as client:
                for piece in AUDIO[:BEFORE]:
                    await client.send(piece)
                self.talking.release()
                await self.go_on.wait()
                with contextlib.suppress(StreamasrError):  # told again below, if it was no order
                    for piece in AUDIO[BEFORE:]:
                        await client.send(piece)
                        await asyncio.sleep(0.1)
                await client.stop()
                finals = [event async for event in client if isinstance(event, Final)]
        except StreamasrError as error:
            self.talking.release()
            self.seen["refused" if error.code in ("busy", "not_ready") else "broken off"] += 1
            return
        assert client.closed is not None
        self.seen[client.closed.reason] += 1
        self.unheard += not finals or client.closed.audio_s < BEFORE / 10


async def test_what_clients_see_when_one_daemon_dies_and_another_drains(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        starting = [daemon(tiny_bundle, tmp_path / f"{number}.log") for number in range(3)]
        daemons = [await stack.enter_async_context(each) for each in starting]
        addresses = [address for _, address in daemons]
        outside = await stack.enter_async_context(balancer(tmp_path / "log", *addresses))
        crowd = Crowd(f"ws://{outside}")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(crowd.talk())
            for _ in range(CLIENTS):
                await crowd.talking.acquire()
            held = [(await get(f"ws://{at}", "/readyz"))[1]["sessions"] for at in addresses]
            assert sum(held) == CLIENTS
            assert min(held) > 0
            drained, killed = daemons[1][0], daemons[2][0]
            drained.send_signal(signal.SIGTERM)
            killed.kill()
            await killed.wait()
            while await answers(addresses[1]):  # noqa: ASYNC110  nobody sets an event
                await asyncio.sleep(0.01)
            crowd.go_on.set()
            for _ in range(CLIENTS):  # newcomers, before the balancer has noticed, and after
                tasks.create_task(crowd.talk())
                await asyncio.sleep(0.05)
        assert await drained.wait() == 0
    print(f"held {held}, seen {dict(crowd.seen)}, unheard {crowd.unheard}")
    assert crowd.seen == {"stop": held[0] + CLIENTS, "drain": held[1], "broken off": held[2]}
    assert crowd.unheard == 0


async def test_numbers_are_not_for_those_outside(tiny_bundle: Path, tmp_path: Path) -> None:
    async with (
        daemon(tiny_bundle, tmp_path / "daemon") as (_, inside),
        balancer(tmp_path / "log", inside, inside, inside) as outside,
    ):
        reader, writer = await asyncio.open_connection(*outside.split(":"))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 403")
        writer.close()
