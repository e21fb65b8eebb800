"""The daemon, and what starts it, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPTED = (sys.executable, "-m", "tests.edge.scripted_server")


@dataclass
class Process:
    """A program that runs."""

    process: asyncio.subprocess.Process
    url: str
    """Of its websocket, once that is known."""
    log: list[str]
    """The lines of its error stream, as far as they were read."""

    def signal(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def until_logged(self, text: str) -> str:
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.log.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not logged: {self.log}")

    async def end(self) -> int:
        """The exit code, once the process has ended; its log is complete then."""
        assert self.process.stderr is not None
        self.log += (await self.process.stderr.read()).decode().splitlines(keepends=True)
        return await self.process.wait()


@asynccontextmanager
async def program(*command: str, environ: Mapping[str, str], **how: Any) -> AsyncIterator[Process]:
    """Run a program as long as the block lasts, and no longer."""
    child = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environ, cwd=ROOT, stderr=asyncio.subprocess.PIPE, **how
    )
    running = Process(child, "", [])
    try:
        yield running
    finally:
        if child.returncode is None:
            child.kill()
        await running.end()


@asynccontextmanager
async def process(**environ: str) -> AsyncIterator[Process]:
    """The daemon in a process of its own; not yet ready."""
    settings = {"STREAMASR_SERVER_PORT": "0"} | environ
    async with program(*SCRIPTED, environ=settings) as running:
        yield running


@asynccontextmanager
async def ready(**environ: str) -> AsyncIterator[Process]:
    async with process(**environ) as running:
        line = await running.until_logged("ready on")
        found = re.search(r"(wss?://\S+:\d+)/v1/stream", line)
        assert found
        running.url = found[1]
        yield running
