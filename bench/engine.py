"""How many streams does the engine carry, and how far is that from what the machine could do?

    python bench/engine.py [--device cpu|cuda] [--streams N] [--threads N] [--floor] [--save]

`streamasr bench engine` on the bundled clips, for bench/results/. On the CPU also the floor: the
operations and bytes of a step over the rates of this machine, measured in the same minute.
Without a GPU the line for cuda says "not measured".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import typer

from bench.floor import floor
from bench.report import CLIPS, finish
from streamasr.app.commands.bench import measure_engine, show
from streamasr.edge.bundle import find, load
from streamasr.errors import UsageError


def main(
    device: str = "cpu",
    streams: int | None = None,
    threads: int = 1,
    model: str | None = None,
    save: bool = False,
) -> None:
    figures: dict[str, Any]
    try:
        figures = measure_engine(model, device, streams, threads, sorted(CLIPS.glob("*.flac")))
    except UsageError as error:
        figures = {"device": device, "streams": "not measured", "reason": error.message}
        print(f"{device}: not measured: {error.message}")
        finish("engine", figures, save=save)
        return
    show(figures)
    if device == "cpu":
        bound = floor(load(find(model)).config)
        share = figures["streams"] / threads / bound["streams_per_core"]
        print(
            f"a core could carry {bound['streams_per_core']} streams by its rates: "
            f"{bound['us_a_stream']} us a step of one"
        )
        print(f"the engine carries {share:.0%} of that")
        figures |= {"streams_per_core": round(figures["streams"] / threads), "floor": bound}
    finish("engine", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
