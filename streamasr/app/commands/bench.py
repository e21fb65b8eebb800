"""``streamasr bench``: what this machine carries."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import Device, DeviceOption, ModelOption, ThreadsOption
from streamasr.app.table import print_table

CAPACITY = {"cpu": 2048, "cuda": 32_768}
"""How many streams are tried at most unless told."""
SPEECH = Path(__file__).parents[2] / "edge" / "speech.flac"


def engine(
    device: DeviceOption = Device.CPU,
    streams: Annotated[
        int | None, typer.Option("--streams", min=1, metavar="N", help="Try no more than N.")
    ] = None,
    threads: ThreadsOption = 1,
    audio: Annotated[
        list[Path] | None,
        typer.Option("--audio", metavar="FILE", help="Speech to play; repeatable."),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Find how many streams the engine carries in real time, and whether it hears the same.

    The engine alone: no sockets, no gate, greedy text. All streams step together; the largest
    number is that whose step, at the 95th percentile, takes no longer than its audio. Texts
    are compared with those of the CPU engine hearing each clip alone. Prints a table, then
    one line of JSON for programs.

    \b
    Examples:
      streamasr bench engine
      streamasr bench engine --device cuda --streams 100000
    """
    figures = measure_engine(model, device.value, streams, threads, audio or [SPEECH])
    show(figures)
    print(json.dumps(figures))


def measure_engine(
    model: str | None, device: str, streams: int | None, threads: int, audio: list[Path]
) -> dict[str, Any]:
    """Open both engines and measure, showing each trial on a terminal."""
    from streamasr.app.mixing import read_clip
    from streamasr.app.throughput import measure
    from streamasr.edge import bundle
    from streamasr.edge.engines import open_engine, resolve_device

    clips = [read_clip(file) for file in audio]
    path, device = bundle.find(model), resolve_device(device)
    reference = open_engine(path, device="cpu", decoder="greedy")
    tested = open_engine(
        path,
        device=device,
        threads=threads,
        capacity=streams or CAPACITY[device],
        decoder="greedy",
    )
    line = LiveLine(sys.stderr)
    figures = measure(tested, reference, clips, line.show)
    line.clear()
    return {"model": path.name, "threads": threads, **figures}


def show(figures: dict[str, Any]) -> None:
    """Print the figures for people."""
    step = figures["step_ms"]
    head = ("DEVICE", "STREAMS", "STEP P50", "P95", "P99", "ONE STREAM", "RTF", "OTHER TEXTS")
    row = (
        figures["device"],
        f"{figures['streams']}" + ("+" if figures["streams"] == figures["capacity"] else ""),
        *(f"{step[name]:.1f} ms" for name in ("p50", "p95", "p99")),
        f"{figures['one_stream_ms']:.2f} ms",
        f"{figures['one_stream_rtf']:.4f}",
        f"{figures['different']} of {figures['texts']}",
    )
    print_table(head, [row], right=range(1, len(head)))


bench = {"engine": engine}
