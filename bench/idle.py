"""What does the daemon cost while nobody speaks?

    python bench/idle.py [--seconds 10] [--save]

Start to ready, resident memory, and processor time: first without a client, then with
open streams that send the faint noise of a quiet room at the pace of a microphone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.daemon import Daemon, running
from bench.report import finish
from streamasr.edge.client import connect

MESSAGE_S = 0.1


async def quiet_streams(daemon: Daemon, count: int, seconds: float) -> float:
    """Hold streams open in near silence; returns the share of a core the daemon took."""
    rng = np.random.default_rng(0)
    room = (rng.standard_normal(round(16_000 * MESSAGE_S)) * 3).astype("<i2").tobytes()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(daemon.url)) for _ in range(count)]
        began, cpu = time.perf_counter(), daemon.cpu_s()
        for tick in range(1, round(seconds / MESSAGE_S) + 1):
            await asyncio.gather(*(client.send(room) for client in clients))
            await asyncio.sleep(max(0.0, began + tick * MESSAGE_S - time.perf_counter()))
        return (daemon.cpu_s() - cpu) / (time.perf_counter() - began)


def main(
    seconds: float = 10.0, streams: int = 50, model: str = "en-small", save: bool = False
) -> None:
    starts = []
    for _ in range(3):
        with running("--model", model) as daemon:
            starts.append(daemon.start_s)
            time.sleep(0.5)
    with running("--model", model) as daemon:
        time.sleep(1.0)
        cpu = daemon.cpu_s()
        time.sleep(seconds)
        alone = (daemon.cpu_s() - cpu) / seconds
        resident = daemon.resident_mb()
        busy = asyncio.run(quiet_streams(daemon, streams, seconds))
        per_stream = (daemon.resident_mb() - resident) * 1024 / streams
    figures = {
        "model": model,
        "start_to_ready_s": round(float(np.median(starts)), 2),
        "resident_mb": round(resident, 1),
        "idle_core_share": round(alone, 4),
        "quiet_streams": streams,
        "quiet_core_share": round(busy, 4),
        "kb_a_stream": round(per_stream, 1),
    }
    print(f"start to ready     {figures['start_to_ready_s']:>8} s    (budget 1.5)")
    print(f"resident, idle     {figures['resident_mb']:>8} MB   (budget 150)")
    print(f"processor, idle    {alone:>8.2%} of a core")
    print(f"{streams} quiet streams   {busy:>8.2%} of a core, {per_stream:.0f} KB each")
    finish("idle", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
