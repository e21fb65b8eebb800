"""How long after its last word is an order understood?

    python bench/promptness.py PICOVOICE --noise DATA/noise [--save]

Orders of Picovoice's benchmark (bench/commands.py) reach the listener in blocks of 100 ms, clean
and with kitchen noise, which then goes on for three seconds as a kitchen does. Where the last
word ends is read off the clean recording: its last 10 ms within `QUIET_DB` of the loudest. The
wait is counted in audio; what the work takes comes on top, milliseconds of it. *Fixed* is the
listener with one limit for all sentences, 700 ms of silence. An order is *over* where the grammar
lets nothing follow it, and *open* where it might have gone on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.commands import coffee_grammar, compiled, orders
from bench.report import finish
from streamasr.app.mixing import add_noise, load_noises, loop_to, read_clip
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine
from streamasr.edge import bundle
from streamasr.edge.commands.grammar import CommandGrammar
from streamasr.edge.commands.listener import LIVE, CommandListener, Understood
from streamasr.edge.engines import open_engine

LEVELS_DB = (None, 20, 10)
WAYS = {
    "fixed": StreamOptions(endpoint_ms=700, max_utterance_s=15.0),
    "by what may follow": LIVE,
}
BLOCK = 1600
AFTER = 3 * 16_000
FRAME = 160
QUIET_DB = 30.0


def end_of_speech(clip: np.ndarray) -> int:
    """The sample after the last frame that is not quiet."""
    frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME)
    power = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    return int(FRAME * (np.flatnonzero(power > power.max() - QUIET_DB)[-1] + 1))


def wait_ms(
    engine: Engine, grammar: CommandGrammar, options: StreamOptions, sound: np.ndarray, end: int
) -> tuple[str, float] | None:
    """From the last word to the first sentence that is understood, and whether more might have
    followed; None if none is."""
    with CommandListener(engine, grammar, options=options) as listener:
        for start in range(0, len(sound), BLOCK):
            for heard in listener.accept(sound[start : start + BLOCK]):
                if isinstance(heard, Understood):
                    outlook = grammar.network.outlook(heard.text.split())
                    return outlook, (min(start + BLOCK, len(sound)) - end) / 16
        return None


def main(
    picovoice: Path,
    noise: Annotated[Path, typer.Option(help="Noises, where PICOVOICE has none.")],
    every: Annotated[int, typer.Option(help="Take every so manieth order.")] = 5,
    model: str | None = None,
    save: bool = False,
) -> None:
    engine = open_engine(bundle.find(model), device="cpu", decoder="graph", capacity=2)
    grammar = compiled(coffee_grammar(picovoice), engine.facts.graph)
    kitchen = picovoice / "data/noise/kitchen.wav"
    noises = [read_clip(kitchen)] if kitchen.is_file() else load_noises(noise)
    table: list[dict[str, Any]] = []
    chosen = orders(picovoice)[1::every]
    for level in LEVELS_DB:
        for name, options in WAYS.items():
            waits: dict[str, list[float]] = {"open": [], "over": []}
            for number, (path, _) in enumerate(chosen):
                clip = read_clip(path)
                end = end_of_speech(clip)
                sound = np.concatenate([clip[:end], np.zeros(AFTER, np.float32)])
                if level is not None:
                    rng = np.random.default_rng((number, level))
                    other = loop_to(noises[number % len(noises)], len(sound), rng)
                    # the level holds where somebody speaks
                    sound = add_noise(sound, other, level - 10 * np.log10(len(sound) / end))
                wait = wait_ms(engine, grammar, options, sound, end)
                if wait is not None:
                    waits[wait[0]].append(wait[1])
            for outlook, found in waits.items():
                row = {
                    "level_db": level, "ends": name, "outlook": outlook,
                    "orders": len(chosen), "understood": len(found),
                    **{f"p{p}_ms": round(float(np.percentile(found, p))) for p in (10, 50, 90)},
                }  # fmt: skip
                table.append(row)
                print(*row.values(), flush=True)
    finish("promptness", {"table": table}, save=save)


if __name__ == "__main__":
    typer.run(main)
