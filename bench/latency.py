"""How long does a speaker wait: first partial, each word, the final?

    python bench/latency.py [--data FOLDER] [--limit N] [--save]

A real daemon in a process of its own, real websockets, audio paced as a microphone
delivers it (20 ms messages). Every clip is followed by silence, as a speaker would be.
True word times come from a forced alignment, itself good to about 30 ms.

- first partial: from the start of the first word to the first partial
- emission delay: from a word's true end to the moment its last letter arrived
- end of speech to final: from the last word's end, by the default endpointing
- the same with endpoint_ms=200
- stop to final: from sending ``stop`` with speech still open to the last final
"""

from __future__ import annotations

import asyncio
import difflib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.alignment import TimedWord, align
from bench.daemon import running
from bench.report import CLIPS, finish, spread
from streamasr.app.manifest import read_manifest, thin_out
from streamasr.app.mixing import read_clip
from streamasr.core.events import Event, Final, Partial
from streamasr.core.features import SAMPLE_RATE
from streamasr.edge.client import Client, connect

MESSAGE_S = 0.02
SILENCE_S = 1.2
AT_ONCE = 4


@dataclass(slots=True)
class Clip:
    samples: np.ndarray
    words: list[TimedWord]


@dataclass(slots=True)
class Heard:
    """Events with their arrival, in seconds since the clip's first sample was due."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    stopped_s: float = 0.0


async def play(url: str, samples: np.ndarray, **options: int) -> Heard:
    """Stream samples at the pace of speech, then stop."""
    heard = Heard()
    message = round(MESSAGE_S * SAMPLE_RATE)
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    async with connect(url, **options) as client:  # type: ignore[arg-type]
        began = time.perf_counter()
        listening = asyncio.create_task(_listen(client, heard, began))
        for number, start in enumerate(range(0, len(pcm), message), start=1):
            block = pcm[start : start + message]
            # A block can be sent only when its last sample has been spoken.
            await asyncio.sleep(max(0.0, began + number * MESSAGE_S - time.perf_counter()))
            await client.send(block.tobytes())
        heard.stopped_s = time.perf_counter() - began
        await client.stop()
        await listening
    return heard


async def _listen(client: Client, heard: Heard, began: float) -> None:
    async for event in client:
        heard.events.append((time.perf_counter() - began, event))


def word_arrivals(heard: Heard) -> list[tuple[str, float]]:
    """Each recognised word with the moment when it had all its letters."""
    words: list[tuple[str, float]] = []
    done = 0
    for at, event in heard.events:
        if not isinstance(event, Partial | Final):
            continue
        for index, word in enumerate(event.text.split(), start=done):
            if index == len(words):
                words.append((word, at))
            elif words[index][0] != word:
                words[index] = (word, at)
        if isinstance(event, Final):
            done = len(words)
    return words


def emission_delays(clip: Clip, heard: Heard) -> list[float]:
    """Delays in ms of the words that were recognised right."""
    arrivals = word_arrivals(heard)
    matcher = difflib.SequenceMatcher(
        None, [w.text for w in clip.words], [w for w, _ in arrivals], autojunk=False
    )
    return [
        1000 * (arrivals[b.b + i][1] - clip.words[b.a + i].end_s)
        for b in matcher.get_matching_blocks()
        for i in range(b.size)
    ]


async def measure(url: str, clips: list[Clip]) -> dict[str, list[float]]:
    """All delays in ms over all clips, a few streams at a time."""
    found: dict[str, list[float]] = {
        k: [] for k in ("first_partial", "emission_delay", "final", "final_200", "stop")
    }
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(clip: Clip) -> None:
        start, end = clip.words[0].start_s, clip.words[-1].end_s
        quiet = np.zeros(round(SILENCE_S * SAMPLE_RATE), np.float32)
        upto = np.concatenate([clip.samples[: round((end + 0.05) * SAMPLE_RATE)], quiet])
        async with turns:
            heard = await play(url, upto)
            partials = [at for at, e in heard.events if isinstance(e, Partial | Final)]
            if partials:
                found["first_partial"].append(1000 * (partials[0] - start))
            found["emission_delay"] += emission_delays(clip, heard)
            if ends := [at for at, e in heard.events if isinstance(e, Final)]:
                found["final"].append(1000 * (ends[-1] - end))
            heard = await play(url, upto, endpoint_ms=200)
            if ends := [at for at, e in heard.events if isinstance(e, Final)]:
                found["final_200"].append(1000 * (ends[-1] - end))
            heard = await play(url, clip.samples[: round(end * SAMPLE_RATE)])
            if ends := [at for at, e in heard.events if isinstance(e, Final)]:
                found["stop"].append(1000 * (ends[-1] - heard.stopped_s))

    async with asyncio.TaskGroup() as tasks:
        for clip in clips:
            tasks.create_task(one(clip))
    return found


def load_clips(data: Path | None, split: str, limit: int) -> list[Clip]:
    """Clips with alignments: a manifest's, or those that ship with the tests."""
    if data is None:
        files = sorted(CLIPS.glob("*.flac"))
        lines = (CLIPS / "README.md").read_text().splitlines()
        rows = [[c.strip() for c in x.strip("|").split("|")] for x in lines if ".flac |" in x]
        texts = {row[0]: row[-1] for row in rows}
        pairs = [(f, texts[f.name]) for f in files]
    else:
        utterances = [u for u in read_manifest(data) if u.split == split]
        pairs = [(u.path, u.text) for u in thin_out(utterances, limit)]
    clips = []
    for file, text in pairs:
        samples = read_clip(file)
        if words := align(samples, text):
            clips.append(Clip(samples, words))
    return clips


def main(
    data: Path | None = None,
    split: str = "dev",
    limit: int = 30,
    model: str = "en-small",
    save: bool = False,
) -> None:
    clips = load_clips(data, split, limit)
    with running("--model", model) as daemon:
        found = asyncio.run(measure(daemon.url, clips))
    budgets = {"emission_delay": "p50 <= 250", "final": "p99 <= 600", "final_200": "p99 <= 350",
               "stop": "p99 <= 350"}  # fmt: skip
    print(f"{'ms':<16} {'p50':>7} {'p95':>7} {'p99':>7} {'n':>5}  budget")
    figures = {}
    for name, values in found.items():
        if not values:
            print(f"{name:<16} nothing recognised")
            continue
        figures[name + "_ms"] = row = spread(values)
        cells = f"{row['p50']:>7} {row['p95']:>7} {row['p99']:>7} {row['n']:>5}"
        print(f"{name:<16} {cells}  {budgets.get(name, '')}")
    corpus = data.name if data else "bundled clips"
    finish("latency", {"model": model, "corpus": corpus, "clips": len(clips), **figures}, save=save)


if __name__ == "__main__":
    typer.run(main)
