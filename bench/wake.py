"""Any phrase as a wake phrase: how often is it missed, and how often heard where nobody said it?

    python bench/wake.py DATA [--kept FOLDER] [--save]

Phrases that were recorded by many people (short/picovoice_wakewords, short/precise_community);
nothing was trained for any of them. False accepts are counted on LibriSpeech (test-clean and our
dev readers) and on the noises of DATA, all of it, without the gate that would keep some of it
away; an utterance or half a minute of noise counts once. *Confusables* are the recordings of other
phrases. The scores are those of `core.commands.wake.Spotter`, computed for many clips at a
time, and held against it. With --kept the posteriors are kept, and read the next time.

Misses are counted once more in the rooms and the noises of DATA, which the network has met in
training, of every other recording. What listening costs is measured through the whole path, gate
and all, on read speech.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
from numpy.typing import NDArray

from bench.report import finish
from streamasr.app.lm.posteriors import listen
from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import noise_files, read_clip
from streamasr.app.surroundings import Surroundings
from streamasr.core.commands.decoder import CommandDecoder
from streamasr.core.commands.wake import FLOOR, NEVER, Spotter, lag
from streamasr.core.commands.waking import WakingDecoder
from streamasr.core.options import StreamOptions
from streamasr.core.phones import PHONE_IDS, PHONES, SILENCE
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge import bundle
from streamasr.edge.commands.wake import WAYS
from streamasr.edge.engines import open_engine
from streamasr.edge.lm.pronounce import Pronouncer

Floats = NDArray[np.float32]
Clips = list[tuple[str, Floats]]
"""What was said, and the log posteriors of its phones [emissions, phones]."""
PHRASES = (
    "alexa", "computer", "jarvis", "smart mirror", "snowboy", "view glass", "athena", "amelia",
    "hey savant",
)  # fmt: skip
OWN = ("short/picovoice_wakewords", "short/precise_community")
BOOKS = (("speech/librispeech_test_clean_a", "all"), ("speech/librispeech_train_clean_5", "dev"))
PIECE = 30 * 16_000
AT_ONCE = 200
THRESHOLDS = tuple(round(-0.1 * n, 1) for n in range(2, 25))
PLACES: tuple[Callable[[Path], Surroundings], ...] = (
    lambda noise: Surroundings(),
    *(partial(Surroundings, db) for db in (20, 10, 6, 0)),
    lambda noise: Surroundings(rt60_s=0.5, rooms=noise / "rir"),
)
CHECKED = 20
"""Clips whose scores are held against the spotter."""


def posteriors(engine: Engine, clips: Iterable[tuple[str, Floats]]) -> Clips:
    named = list(clips)
    heard = listen(engine, (samples for _, samples in named))
    return [
        (name, emissions.phones.astype(np.float16))
        for (name, _), emissions in zip(named, heard, strict=True)
        if emissions.phones is not None
    ]


def collect(data: Path, engine: Engine, kept: Path | None) -> dict[str, Clips]:
    """The clips of each source."""
    found: dict[str, Clips] = {}
    sources: list[tuple[str, str]] = [*((name, "all") for name in OWN), *BOOKS, ("noise", "")]
    for name, split in sources:
        file = None if kept is None else kept / f"{Path(name).name}.pickle"  # our own, no guest's
        if file is not None and file.is_file():
            found[name] = pickle.loads(file.read_bytes())
            continue
        if name == "noise":
            noises = (read_clip(path) for path in noise_files(data / name))
            pieces = (n[at : at + PIECE] for n in noises for at in range(0, len(n), PIECE))
            found[name] = posteriors(engine, (("", piece) for piece in pieces))
        else:
            utterances = [u for u in read_manifest(data / name) if split in ("all", u.split)]
            found[name] = posteriors(engine, ((u.text, read_clip(u.path)) for u in utterances))
        if file is not None:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(pickle.dumps(found[name]))
    return found


def nearest(clips: Sequence[Floats], ways: Sequence[Sequence[Sequence[str]]]) -> Floats:
    """The best score of a phrase in each clip."""
    scores = np.empty(len(clips), np.float32)
    order = sorted(range(len(clips)), key=lambda n: len(clips[n]))
    for at in range(0, len(order), AT_ONCE):
        group = order[at : at + AT_ONCE]
        longest = len(clips[group[-1]])
        heard = np.full((len(group), longest, len(PHONES)), FLOOR, np.float32)
        heard[:, :, SILENCE] = 0.0
        for row, number in zip(heard, group, strict=True):
            row[: len(clips[number])] = clips[number]
        behind = lag(heard)
        scores[group] = np.max([_chain(behind, way) for way in ways], axis=0)
    return scores


def _chain(behind: Floats, words: Sequence[Sequence[str]]) -> Floats:
    """`core.commands.wake._Chain` for all clips: the best score of each."""
    states: list[int] = []
    skips: list[int] = []
    for word in words:
        if states:
            states.append(SILENCE)
            skips.append(len(states))
        states += [PHONE_IDS[phone] for phone in word]
    chain = np.array(states)
    sounds = chain != SILENCE
    costs = np.full((len(behind), len(chain)), NEVER, np.float32)
    lengths = np.zeros(costs.shape, np.int32)
    best = np.full(len(behind), NEVER, np.float32)
    for emission in range(behind.shape[1]):
        before, long = np.empty_like(costs), np.zeros_like(lengths)
        before[:, 0] = 0.0
        before[:, 1:], long[:, 1:] = costs[:, :-1], lengths[:, :-1]
        for state in skips:
            nearer = costs[:, state - 2] > before[:, state]
            before[nearer, state] = costs[nearer, state - 2]
            long[nearer, state] = lengths[nearer, state - 2]
        goes_on = costs >= before
        costs = np.where(goes_on, costs, before) + behind[:, emission, chain]
        lengths = np.where(goes_on, lengths, long) + sounds
        best = np.maximum(best, costs[:, -1] / np.maximum(1, lengths[:, -1]))
    return best


def check(clips: Sequence[Floats], scores: Floats, ways: Any) -> None:
    """Hold the scores of some clips against the spotter."""
    for clip, score in list(zip(clips, scores, strict=True))[:CHECKED]:
        spotter = Spotter(ways)
        spotted = []
        for row in clip.astype(np.float32):
            spotter.push(row[None])
            spotted.append(spotter.score)
        assert abs(max(spotted) - score) < 1e-3, (max(spotted), score)


def weigh(scores: dict[str, Floats], threshold: float, hours: float) -> dict[str, float]:
    """What a threshold costs."""
    return {
        "threshold": threshold,
        "false_per_hour": round(float((scores["quiet"] >= threshold).sum()) / hours, 2),
        "missed": round(float((scores["own"] < threshold).mean()), 4),
        "confusables": round(float((scores["other"] >= threshold).mean()), 4),
    }


def missed_at(
    engine: Engine, data: Path, ways: dict[str, Any], surroundings: Surroundings
) -> dict[str, float]:
    """The share of each phrase's recordings that is missed there, at its default threshold."""
    place = surroundings.open()
    found = {}
    said = [u for name in OWN for u in read_manifest(data / name)]
    for phrase, some in ways.items():
        own = [u for u in said if u.text == phrase][::2]
        clips = posteriors(engine, ((u.text, place.put(read_clip(u.path), u.id)) for u in own))
        scores = nearest([heard for _, heard in clips], some)
        found[phrase] = round(float((scores < Spotter(some).threshold).mean()), 4)
    return found


def cost_of_listening(engine: Engine, spotter: Spotter, clips: Iterable[Floats]) -> float:
    """Seconds of work for a second of audio: gate, network, spotter."""
    assert engine.facts.graph is not None
    graph = engine.facts.graph
    options = StreamOptions(
        partials=False,
        new_decoder=lambda: WakingDecoder(spotter, lambda: CommandDecoder(graph), is_awake=False),
    )
    seconds, worked = 0.0, 0.0
    with Recognizer(engine).stream(options) as stream:
        for clip in clips:
            begun = time.process_time()
            for start in range(0, len(clip), 1600):
                stream.accept(clip[start : start + 1600])
            worked += time.process_time() - begun
            seconds += len(clip) / 16_000
    return worked / seconds


def main(
    data: Path, kept: Path | None = None, model: str | None = None, save: bool = False
) -> None:
    engine = open_engine(bundle.find(model), device="cpu", decoder="graph", capacity=16)
    assert engine.facts.graph is not None
    pronouncer = Pronouncer(engine.facts.graph.pronounce)
    found = collect(data, engine, kept)
    emission_s = engine.facts.emission_samples / 16_000
    quiet = [heard for name in (*(n for n, _ in BOOKS), "noise") for _, heard in found[name]]
    hours = sum(map(len, quiet)) * emission_s / 3600
    said = [clip for name in OWN for clip in found[name]]
    table: dict[str, Any] = {}
    ways_of: dict[str, Any] = {}
    print(f"{hours:.2f} h without a phrase")
    for phrase in PHRASES:
        words = phrase.split()
        known = pronouncer(words)
        ways = list(islice(product(*(known[word] for word in words)), WAYS))
        ways_of[phrase] = ways
        own = [heard for text, heard in said if text == phrase]
        other = [heard for text, heard in said if phrase not in text]
        scores = {kind: nearest(clips, ways) for kind, clips in
                  (("own", own), ("other", other), ("quiet", quiet))}  # fmt: skip
        check(own, scores["own"], ways)
        curve = [weigh(scores, threshold, hours) for threshold in THRESHOLDS]
        fine = [point for point in curve if point["false_per_hour"] <= 0.5]
        usual = weigh(scores, round(Spotter(ways).threshold, 2), hours)
        table[phrase] = {"recordings": len(own), "at_half": fine[-1], "default": usual}
        table[phrase]["curve"] = curve
        print(phrase, len(own), "| at most 0.5 an hour:", fine[-1], "| default:", usual)
    mean = {
        key: round(float(np.mean([row["default"][key] for row in table.values()])), 4)
        for key in ("false_per_hour", "missed", "confusables")
    }
    places = {}
    for place in PLACES:
        surroundings = place(data / "noise")
        missed = missed_at(engine, data, ways_of, surroundings)
        places[surroundings.name] = missed | {"mean": round(float(np.mean([*missed.values()])), 4)}
        print(surroundings.name or "clean", places[surroundings.name], flush=True)
    books = [u.path for u in read_manifest(data / BOOKS[1][0]) if u.split == "dev"][:60]
    spotter = Spotter([[*pronouncer(["jarvis"])["jarvis"][:1]]])
    share = cost_of_listening(engine, spotter, (read_clip(path) for path in books))
    print(f"mean at the default: {mean}; listening to speech takes {share:.4f} of a core")
    finish(
        "wake",
        {
            "hours": round(hours, 2), "core_share": round(share, 4), "mean_at_default": mean,
            "phrases": table, "missed_at": places,
        },
        save=save,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
