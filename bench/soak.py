"""Thousands of sessions, most of them rude: does the daemon grow, leak, or lose a word?

    python bench/soak.py --minutes 5 [--workers 2] [--decoder graph] [--save]
    python bench/soak.py --minutes 60 --rounds 12 --calm-s 6 --save     # some 10 000 sessions

Hours of use compressed. Well-behaved sessions of random length run at the pace of speech or
faster beside ones that vanish in the middle, leave sockets half open, stop reading, stop
altogether (a process under SIGSTOP), send a byte a frame, flood at ten times real time, or
send nonsense; ``--calm-s`` is the mean pause before each. Once warm, memory (without mapped
files), descriptors and threads are noted again and again with nobody connected. It fails
(exit code 1) unless

    the memory slope is below 64 KB per thousand sessions, over the last third
    descriptors and threads end where they began
    every well-behaved session that is let in gets the words that its programme gets alone

With ``--open`` it measures memory per stream instead: 1000 sessions open and silent, 250 that
speak.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.daemon import Daemon, running
from bench.load import alone, programmes
from bench.paced import Programme, address_of, load
from bench.report import finish
from streamasr.edge.client import Client, connect
from streamasr.errors import OverloadError, StreamasrError

SLOPE_KB = 64.0
"""Growth of memory that is let pass, KB per thousand sessions."""
SETTLE_S = 3.0
IDLE, ACTIVE = 1000, 250
TOGETHER = 24
"""Sessions at a time."""


def payload(programme: Programme) -> list[bytes]:
    """The audio of a programme in its messages, without their frames."""
    return [frame[-3200:] if len(frame) > 3200 else frame[8:] for frame in programme.frames]


class Churn:
    """All the sessions, and what became of them."""

    def __init__(self, daemon: Daemon, wanted: dict[str, str], *, calm_s: float, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.lost: list[str] = []
        self._daemon = daemon
        self._wanted = wanted
        self._programmes = {programme.name: programme for programme in programmes()}
        self._rng = random.Random(seed)
        self._calm_s = calm_s
        self._kinds: Sequence[tuple[Callable[[], Awaitable[None]], int]] = (
            (self.well_behaved, 40), (self.short, 40), (self.vanishing, 15), (self.half_open, 10),
            (self.deaf, 3), (self.byte_by_byte, 3), (self.flooding, 8), (self.nonsense, 10),
            (self.stopped, 1),
        )  # fmt: skip

    async def run(self, until: float) -> None:
        kinds, weights = zip(*self._kinds, strict=True)

        async def one_after_the_other() -> None:
            while time.monotonic() < until:
                await asyncio.sleep(2 * self._calm_s * self._rng.random())
                (kind,) = self._rng.choices(kinds, weights)
                try:
                    await asyncio.wait_for(kind(), 60)
                    self.counts[kind.__name__] += 1
                except OverloadError:  # refused at the door, as it may be: come again
                    self.counts["refused"] += 1
                    await asyncio.sleep(0.5)
                except (StreamasrError, OSError, TimeoutError) as error:
                    self.counts[f"{kind.__name__}: {type(error).__name__}"] += 1
                    if kind in (self.well_behaved, self.flooding, self.byte_by_byte):
                        self.lost.append(f"{kind.__name__}: {error}")

        await asyncio.gather(*(one_after_the_other() for _ in range(TOGETHER)))

    @property
    def sessions(self) -> int:
        return sum(self.counts.values())

    def _choose(self) -> Programme:
        return self._rng.choice(list(self._programmes.values()))

    async def _say(self, name: str, pieces: Sequence[bytes], pause_s: float) -> None:
        """Send a whole programme and hold the finals against those that it gets alone."""
        async with connect(self._daemon.url) as client:
            finals: list[str] = []

            async def read() -> None:
                finals.extend(
                    [event.text async for event in client if type(event).__name__ == "Final"]
                )

            reading = asyncio.create_task(read())
            for piece in pieces:
                await client.send(piece)
                await asyncio.sleep(pause_s)
            await client.stop()
            await reading
        if " | ".join(finals) != self._wanted[name]:
            self.lost.append(f"{name}: {finals}")

    async def well_behaved(self) -> None:
        programme = self._choose()
        await self._say(programme.name, payload(programme), self._rng.choice((0.0, 0.005, 0.02)))

    async def flooding(self) -> None:
        """Ten times real time, in large messages."""
        programme = self._choose()
        audio = b"".join(payload(programme))
        pieces = [audio[start : start + 32_000] for start in range(0, len(audio), 32_000)]
        await self._say(programme.name, pieces, 0.1)

    async def byte_by_byte(self) -> None:
        programme = min(self._programmes.values(), key=lambda each: each.samples)
        audio = b"".join(payload(programme))
        pieces = [audio[at : at + 1] for at in range(600)]
        await self._say(programme.name, [*pieces, audio[600:]], 0.0)

    async def short(self) -> None:
        """Some seconds or none, and a decent goodbye."""
        async with connect(self._daemon.url) as client:
            for piece in payload(self._choose())[: self._rng.randint(0, 20)]:
                await client.send(piece)
            await client.stop()

    async def vanishing(self) -> None:
        async with connect(self._daemon.url) as client:
            for piece in payload(self._choose())[: self._rng.randint(1, 40)]:
                await client.send(piece)
            client._socket.transport.abort()

    async def half_open(self) -> None:
        """A connection that asks for nothing, or never finishes asking."""
        host, port, path = address_of(self._daemon.url)
        _, writer = await asyncio.open_connection(host, port)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n".encode()
        writer.write(request[: self._rng.randint(0, len(request))])
        await asyncio.sleep(self._rng.uniform(0, 2))
        writer.transport.abort()

    async def deaf(self) -> None:
        """Asks for answers and reads none, until it is cut off or loses patience."""
        async with connect(self._daemon.url) as client:
            client._reader.cancel()
            client._socket.transport.pause_reading()
            await self._flush_for(client, 3.0)
            client._socket.transport.abort()

    async def _flush_for(self, client: Client, seconds: float) -> None:
        until = time.monotonic() + seconds
        note = json.dumps({"type": "flush", "id": "x" * 190})
        while time.monotonic() < until:
            await asyncio.wait_for(client._socket.send(note), 1.0)
            await asyncio.sleep(0.001)

    async def nonsense(self) -> None:
        async with connect(self._daemon.url) as client:
            await client._socket.send(self._rng.choice(("{", '{"type":"start"}', "[]", "\x00")))
            try:
                await client.stop()
            except StreamasrError:
                return

    async def stopped(self) -> None:
        """A client in a process of its own that is stopped in the middle, and later killed."""
        code = (
            "import asyncio,sys\nfrom streamasr.edge.client import connect\n"
            "async def main():\n"
            f"    async with connect('{self._daemon.url}') as client:\n"
            "        print('on', flush=True)\n"
            "        while True:\n"
            "            await client.send(bytes(3200))\n"
            "            await asyncio.sleep(0.1)\n"
            "asyncio.run(main())\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert process.stdout is not None
            if not await process.stdout.readline():
                raise OverloadError("refused")
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(5)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def note(daemon: Daemon, sessions: int) -> dict[str, float]:
    """What the daemon holds with nobody connected."""
    time.sleep(SETTLE_S)
    return {
        "sessions": sessions,
        "mb": round(daemon.own_mb(), 2),
        "descriptors": daemon.descriptors(),
        "threads": daemon.threads(),
    }


def soak(
    daemon: Daemon, minutes: float, rounds: int, *, calm_s: float, seed: int
) -> dict[str, Any]:
    churn = Churn(daemon, alone(daemon.url, programmes(), {}), calm_s=calm_s, seed=seed)
    asyncio.run(churn.run(time.monotonic() + 60 * minutes / (rounds + 1)))  # to be warm
    notes = [note(daemon, churn.sessions)]
    for _ in range(rounds):
        asyncio.run(churn.run(time.monotonic() + 60 * minutes / (rounds + 1)))
        notes.append(note(daemon, churn.sessions))
        print(json.dumps(notes[-1]), flush=True)
    settled = notes[2 * len(notes) // 3 :]  # at first caches fill and the allocator spreads
    counts, megabytes = [n["sessions"] for n in settled], [n["mb"] for n in settled]
    slope = float(np.polyfit(counts, megabytes, 1)[0]) * 1024 * 1000
    faults = [f"lost words: {lost}" for lost in churn.lost[:10]]
    if slope > SLOPE_KB:
        faults.append(f"memory grows by {slope:.0f} KB per thousand sessions")
    for name in ("descriptors", "threads"):
        if notes[-1][name] > notes[0][name]:
            faults.append(f"{name} went from {notes[0][name]} to {notes[-1][name]}")
    return {
        "sessions": churn.sessions,
        "kinds": dict(churn.counts),
        "kb_per_1000_sessions": round(slope, 1),
        "notes": notes,
        "lost": len(churn.lost),
        "faults": faults,
    }


async def hold_idle(daemon: Daemon, count: int) -> float:
    """KB for each of many sessions that are open and hear a second of silence."""
    before = daemon.own_mb()
    clients = []
    for _ in range(count):
        context = connect(daemon.url, open_timeout_s=60)
        client = await context.__aenter__()
        for _ in range(10):
            await client.send(bytes(3200))
        clients.append(context)
    await asyncio.sleep(SETTLE_S)
    held = daemon.own_mb() - before
    for context in clients:
        await context.__aexit__(None, None, None)
    return held * 1024 / count


async def hold_active(daemon: Daemon, count: int, seconds: float) -> float:
    """KB for each of many sessions that speak: the most that was seen."""
    before, most = daemon.own_mb(), 0.0
    loading = asyncio.create_task(load(daemon.url, count, seconds, programmes()))
    while not loading.done():
        await asyncio.sleep(0.5)
        most = max(most, daemon.own_mb() - before)
    errors = (await loading).errors
    assert not errors, errors
    return most * 1024 / count


def main(
    minutes: float = 5.0,
    rounds: int = 6,
    workers: int = 1,
    decoder: str = "auto",
    calm_s: float = 0.0,
    seed: int = 1,
    is_open: bool = typer.Option(False, "--open"),
    active_s: float = 20.0,
    active: int = ACTIVE,
    save: bool = False,
) -> None:
    arguments = ["--decoder", decoder, "--max-sessions", "2000"]
    arguments += ["--workers", str(workers)] if workers > 1 else []
    os.environ["STREAMASR_LIMITS_STALL_S"] = "2"
    os.environ["STREAMASR_LIMITS_CALIBRATED"] = "false"
    if is_open:
        name, kb = "memory", {}
        with running(*arguments) as daemon:  # each in a daemon that holds nothing from before
            kb["idle_kb"] = round(asyncio.run(hold_idle(daemon, IDLE)), 1)
        with running(*arguments) as daemon:
            asyncio.run(load(daemon.url, 2, 5.0, programmes()))  # what all share is there
            kb["active_kb"] = round(asyncio.run(hold_active(daemon, active, active_s)), 1)
        figures = {"decoder": decoder, "idle": IDLE, "active": active, **kb}
        figures["faults"] = [f"{k} is {v}, not 256" for k, v in kb.items() if v > 256]
    else:
        name, figures = "soak", {"decoder": decoder, "workers": workers, "minutes": minutes}
        with running(*arguments) as daemon:
            figures |= soak(daemon, minutes, rounds, calm_s=calm_s, seed=seed)
    for fault in figures["faults"]:
        print(fault, file=sys.stderr)
    finish(name, figures, save=save)
    raise typer.Exit(1 if figures["faults"] else 0)


if __name__ == "__main__":
    typer.run(main)
