"""How many live streams does the daemon carry, and how late are its words then?

    python bench/load.py --streams 50,100,250 --seconds 60 --decoder greedy [--workers 2] [--save]
    python bench/load.py --peers --streams 1,2,4,8,16 --seconds 30 --save

Paced clients (bench/paced.py), load generator and server on the same cores. A row for each
number of streams: p50, p95 and p99 of the first update, of the response lag and of the final
after stop; errors; audio seconds a wall second; processor and memory of the server from
/proc. The finals of every session are held against those of the same programme alone.

With ``--overload 2`` twice as many streams come as the daemon itself says that it carries:
some are refused, and those inside keep their latency. Daemon and generator then have half of the
cores each, for the daemon counts on having its own. With ``--peers`` the same load is
driven at stand-ins for what people run today, side by side (bench/peers.py). A row "holds"
when nothing failed or was refused and the budgets hold: p95 lag 250 ms, p99 final after stop
350 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.daemon import Daemon, running
from bench.paced import Figures, Programme, address_of, frame, load, one
from bench.report import CLIPS, RESULTS, finish, spread
from streamasr.app.mixing import read_clip

PAUSE_S = 0.6
LAG_MS, STOP_MS = 250, 350
"""Budgets: p95 of the response lag, p99 of the final after stop."""
MOST_SESSIONS = 4096
STEADY_S = 5.0
"""How long what a daemon says it carries stays the same once it is measured."""


def programmes() -> list[Programme]:
    """What clients say: each bundled clip alone, and pairs with a pause between them."""
    clips = {path.stem.split("-")[0]: read_clip(path) for path in sorted(CLIPS.glob("*.flac"))}
    pause = np.zeros(round(PAUSE_S * 16_000), np.float32)
    said = dict(clips)
    for a in clips:
        for b in clips:
            if a != b:
                said[f"{a}+{b}"] = np.concatenate([clips[a], pause, clips[b]])
    return [
        Programme.of(name, (np.clip(audio, -1, 1) * 32_767).astype("<i2").tobytes())
        for name, audio in said.items()
    ]


def alone(url: str, chosen: Sequence[Programme], options: Mapping[str, Any]) -> dict[str, str]:
    """The finals of each programme when nobody else is there."""

    async def ask() -> dict[str, str]:
        start = frame(1, json.dumps({"type": "start", **options}).encode())
        every = [one(address_of(url), start, programme) for programme in chosen]
        heard = await asyncio.gather(*every)
        return {
            programme.name: next(iter(figures.texts[programme.name]))
            for programme, figures in zip(chosen, heard, strict=True)
        }

    return asyncio.run(ask())


def row(
    daemon: Daemon,
    streams: int,
    seconds: float,
    chosen: Sequence[Programme],
    wanted: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Load the daemon and tell what was seen."""
    cpu, own, began = daemon.cpu_s(), time.process_time(), time.perf_counter()
    figures = asyncio.run(load(daemon.url, streams, seconds, chosen, **options))
    wall = time.perf_counter() - began
    wrong = sum(
        count
        for name, texts in figures.texts.items()
        for text, count in texts.items()
        if wanted and text != wanted[name]
    )
    return {
        "streams": streams,
        "first_ms": _ms(figures.first),
        "lag_ms": _ms(figures.lag),
        "stop_ms": _ms(figures.stop),
        "late_ms": _ms(figures.late),
        "sessions": figures.sessions,
        "refused": figures.refused,
        "errors": dict(figures.errors),
        "other_texts": wrong,
        "audio_s_per_s": round(figures.audio_s / seconds, 1),
        "server_cores": round((daemon.cpu_s() - cpu) / wall, 2),
        "client_cores": round((time.process_time() - own) / wall, 2),
        "server_mb": round(daemon.resident_mb(), 1),
        "quick": bool(figures.lag and figures.stop) and _is_quick(figures),
        "holds": _holds(figures),
    }


def _ms(seconds: list[float]) -> dict[str, float]:
    return spread([1e3 * value for value in seconds], 0) if seconds else {}


def _holds(figures: Figures) -> bool:
    if figures.errors or figures.refused or not figures.lag or not figures.stop:
        return False
    return _is_quick(figures)


def _is_quick(figures: Figures) -> bool:
    lag, stop = np.percentile(figures.lag, 95), np.percentile(figures.stop, 99)
    return bool(lag * 1e3 <= LAG_MS and stop * 1e3 <= STOP_MS)


def show(name: str, table: Sequence[Mapping[str, Any]]) -> None:
    print(
        f"{name}\n{'streams':>8} {'first p50/p95':>14} {'lag p50/p95/p99':>16} "
        f"{'stop p50/p95/p99':>17} {'errors':>7} {'audio/s':>8} {'cores':>6} {'MB':>6} holds"
    )
    for line in table:
        first, lag, stop = (line[key] for key in ("first_ms", "lag_ms", "stop_ms"))
        holds = "yes" if line["holds"] else "no"
        print(
            f"{line['streams']:>8} {_cell(first, 'p50', 'p95'):>14} {_cell(lag):>16} "
            f"{_cell(stop):>17} {sum(line['errors'].values()):>7} {line['audio_s_per_s']:>8} "
            f"{line['server_cores']:>6} {line['server_mb']:>6.0f} {holds}"
        )


def _cell(found: Mapping[str, float], *names: str) -> str:
    if not found:
        return "-"
    return "/".join(f"{found[name]:.0f}" for name in names or ("p50", "p95", "p99"))


@contextlib.contextmanager
def server(name: str, arguments: Sequence[str]) -> Iterator[Daemon]:
    if name == "streamasr":
        with running(*arguments) as daemon:
            yield daemon
    else:
        from bench.peers import peer

        with peer(name) as daemon:
            yield daemon


def overloaded(
    times: float, seconds: float, decoder: str, workers: int, chosen: Sequence[Programme]
) -> dict[str, Any]:
    """Ask a daemon that knows its capacity for several times as many streams as that."""
    arguments = ["--decoder", decoder, "--max-sessions", str(MOST_SESSIONS)]
    arguments += ["--workers", str(workers)]
    cores = sorted(os.sched_getaffinity(0))
    theirs, ours = cores[: len(cores) // 2], cores[len(cores) // 2 :]
    os.sched_setaffinity(0, theirs or ours)
    with running(*arguments) as daemon:
        os.sched_setaffinity(0, ours)
        room = measured_room(daemon)
        wanted = alone(daemon.url, chosen, {})
        found = row(daemon, round(times * room), seconds, chosen, wanted, {})
    show(f"streamasr, {decoder}: room for {room}, {times:g} times as many came", [found])
    own = {"workers": workers, "server_affinity": theirs or ours, "generator_affinity": ours}
    return {"decoder": decoder, "room": room, "admitted": found} | own


def measured_room(daemon: Daemon, patience_s: float = 180.0) -> int:
    """Streams that the daemon says it carries, once all its workers have measured that."""
    until, room, since = time.monotonic() + patience_s, 0, 0.0
    while (now := time.monotonic()) < until:
        with urllib.request.urlopen(daemon.url.replace("ws", "http") + "/readyz") as answer:
            told = int(json.load(answer)["room"])
        if told != room:
            room, since = told, now
        elif now - since > STEADY_S and room < MOST_SESSIONS:
            return room
        time.sleep(0.2)
    raise SystemExit(f"the daemon has not measured what it carries within {patience_s:.0f} s")


def plot(series: Mapping[str, Sequence[Mapping[str, Any]]], file: Path) -> None:
    """Latency against streams, a line for each server."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, key, mark, budget, title in (
        (axes[0], "lag_ms", "p95", LAG_MS, "response lag, p95"),
        (axes[1], "stop_ms", "p99", STOP_MS, "final after stop, p99"),
    ):
        for name, table in series.items():
            points = [(line["streams"], line[key][mark]) for line in table if line[key]]
            axis.plot(*zip(*points, strict=True), marker="o", label=name)
        axis.axhline(budget, color="grey", linestyle="--", linewidth=1)
        axis.set(xscale="log", yscale="log", xlabel="live streams", ylabel="ms", title=title)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(file, dpi=100)


def main(
    streams: str = "50,100,150,200,250",
    seconds: float = 30.0,
    decoder: str = "greedy",
    workers: int = 1,
    peers: bool = False,
    peer_streams: str = "1,2,4,8,16",
    model: str = "",
    overload: float = 0.0,
    save: bool = False,
) -> None:
    chosen = programmes()
    os.environ["STREAMASR_LIMITS_CALIBRATED"] = "true" if overload else "false"
    if overload:
        figures = overloaded(overload, seconds, decoder, workers, chosen)
        finish("overload", figures, save=save)
        raise typer.Exit(0 if figures["admitted"]["quick"] else 1)
    arguments = ["--decoder", decoder, "--max-sessions", str(MOST_SESSIONS)]
    arguments += ["--model", model] if model else []
    arguments += ["--workers", str(workers)] if workers > 1 else []
    names = {f"streamasr, {decoder}": "streamasr"}
    if peers:
        names |= {"pocketsphinx 5": "pocketsphinx", "Emformer RNN-T base": "emformer"}
    series: dict[str, list[dict[str, Any]]] = {}
    for title, name in names.items():
        series[title] = []
        steps = streams if name == "streamasr" else peer_streams
        with server(name, arguments) as daemon:
            wanted = alone(daemon.url, chosen, {}) if name == "streamasr" else {}
            for count in map(int, steps.split(",")):
                series[title].append(row(daemon, count, seconds, chosen, wanted, {}))
                show(title, series[title][-1:])
                if name != "streamasr" and not series[title][-1]["holds"]:
                    break
    for title, table in series.items():
        show(title, table)
    figures: dict[str, Any] = {
        "decoder": decoder,
        "workers": workers,
        "seconds": seconds,
        "cores_used": len(os.sched_getaffinity(0)),
        "servers": series,
    }
    finish("load", figures, save=save)
    if save:
        plot(series, RESULTS / f"load-{decoder}.png")


if __name__ == "__main__":
    typer.run(main)
