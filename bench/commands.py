"""Are spoken orders understood, and is everything else rejected? Fits and weighs the verdict.

    python bench/commands.py PICOVOICE --speech DATA/speech/librispeech_train_clean_5:dev \\
        --speech DATA/speech/librispeech_test_clean_a:all --noise DATA/noise --save

PICOVOICE is a clone of Picovoice/speech-to-intent-benchmark: 619 orders to a coffee maker,
read by many people, with the grammar they follow; kitchen noise of its own. What the daemon's
listener would tell is weighed, gate and all. An order is understood when its intent and all of
its slots are right, it is not rejected, and nothing else is understood in the recording.

*Near misses* are orders heard with a grammar that lacks the drink they ask for: every one
that is taken for another order is a false accept, the hardest kind. *Speech* is read books,
heard with the orders and with a home's sentences (bench/home.toml), shorter ones and more of them,
*noise* an hour of noise and music in which nobody speaks (bench/noise.py), at four levels. Beside
the benchmark's kitchen the orders are heard in rooms and in the noises of our own data (`PLACES`);
those the network has met in training.
The verdict is fitted on every other order, clean and in noise, on half of the noise and on the
split "dev"; there too the operating point is chosen: the lowest threshold that takes no more than
30 % of the near misses, no more than two sentences an hour where somebody reads without a pause,
and none in noise. All that is reported
is of the rest, by the verdict just fitted. For another model, take over what it prints: the verdict
into `core.commands.decoder.Verdict`, the threshold into `edge.commands.listener`. With --rows what
was heard is kept, and read the next time. It takes three minutes of processor time.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, tee
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
import yaml

from bench import noise as quiet
from bench.report import RESULTS, finish
from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import add_noise, load_noises, loop_to, noise_files, read_clip
from streamasr.app.surroundings import Surroundings
from streamasr.core.commands.decoder import CommandDecoder, Verdict
from streamasr.core.events import Final
from streamasr.core.recognizer import Engine
from streamasr.core.stream import Stream
from streamasr.edge import bundle
from streamasr.edge.commands.grammar import CommandGrammar, compile_sentences
from streamasr.edge.commands.listener import LIVE
from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.engines import open_engine

Level = int | str | None
"""The noise that an order is heard in."""
HOME = Path(__file__).parent / "home.toml"
LEVELS_DB = (None, 20, 10, 6, 0)
"""Of the benchmark's noise."""
OWN_DB = (20, 10, 6, 0)
RT60_S = 0.5
ROOM = f"room {RT60_S} s"
PLACES: tuple[Level, ...] = (*LEVELS_DB, *(f"ours {db}" for db in OWN_DB), ROOM)
FIT_DB = (None, 10, 6)
NEAR_DB = (None, 10)
"""Of the half that is fitted on; near misses that are reported are clean."""
NOISE_PIECES = 10
"""Half minutes of each kind of noise at each level."""
AT_ONCE = 64
"""Recordings that are heard side by side: the network then takes a fifth of the time."""
THRESHOLDS = (
    0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98,
)  # fmt: skip


@dataclass(frozen=True)
class Ear:
    """Hears many recordings side by side, as `edge.commands.listener` hears one."""

    engine: Engine

    def hear(
        self, clips: Iterable[tuple[CommandGrammar, Callable[[], np.ndarray]]]
    ) -> Iterator[list[CommandDecoder]]:
        """For each recording, in order, the decoders of what it would tell."""
        waiting = iter(clips)
        while group := list(islice(waiting, AT_ONCE)):
            hearings = [_Hearing(self.engine, grammar, make()) for grammar, make in group]
            while work := [(h, step) for h in hearings if (step := h.stream.take()) is not None]:
                for hearing, step in work:
                    if step.fresh:
                        self.engine.reset(hearing.slot)
                answers = self.engine.step([(h.slot, step.samples) for h, step in work])
                for (hearing, _), emissions in zip(work, answers, strict=True):
                    hearing.stream.push(emissions)
            for hearing in hearings:
                self.engine.close(hearing.slot)
                yield hearing.told()


class _Hearing:
    """One recording."""

    def __init__(self, engine: Engine, grammar: CommandGrammar, samples: np.ndarray) -> None:
        self._decoders: list[CommandDecoder] = []

        def make() -> CommandDecoder:
            self._decoders.append(CommandDecoder(grammar.model, grammar.network))
            return self._decoders[-1]

        self.slot = engine.open()
        self.stream = Stream(
            engine.facts,
            replace(LIVE, partials=False, new_decoder=make),
        )
        self.stream.accept(samples.astype(np.float32))
        self.stream.finish()

    def told(self) -> list[CommandDecoder]:
        finals = [event for event in self.stream.events() if isinstance(event, Final)]
        return [self._decoders[final.utterance] for final in finals]


def coffee_grammar(folder: Path, without: str = "") -> dict[str, Any]:
    """Rhino's grammar as ours; ``without`` a drink."""
    context = yaml.safe_load((folder / "data/rhino/coffee_maker.yaml").read_text())["context"]

    def ours(text: str) -> str:
        text = re.sub(r"\[([^\]]*)\]", lambda m: f"({'|'.join(m[1].split(', '))})", text)
        return re.sub(r"\$(\w+):(\w+)", r"{\1:\2}", text)

    lists = {name: [v for v in values if v != without] for name, values in context["slots"].items()}
    intents = {name: [ours(t) for t in texts] for name, texts in context["expressions"].items()}
    return {"intents": intents, "lists": lists}


def compiled(table: dict[str, Any], base: Any) -> CommandGrammar:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grammar.yaml"
        file.write_text(yaml.safe_dump(table, width=10_000))
        return compile_sentences(read_sentences(file), base)


def orders(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    labels = json.loads((folder / "data/label/label.json").read_text())
    found = []
    for name, label in sorted(labels.items()):
        slots = {slot: value.strip() for slot, value in label["slots"].items()}
        if (path := folder / "data/speech/clean" / name).is_file():
            found.append((path, {"intent": label["intent"], "slots": slots}))
    return found


@dataclass(frozen=True)
class Case:
    """A recording to hear, and what is known of it."""

    grammar: CommandGrammar
    make: Callable[[], np.ndarray]
    label: dict[str, Any] | None
    about: dict[str, Any]

    def rows(self, heard: list[CommandDecoder]) -> Iterator[dict[str, Any]]:
        """A row for each sentence found, and one where none was found."""
        for piece, decoder in enumerate(heard):
            intent = self.grammar.understand(decoder.text)
            right = (
                self.label is not None and intent is not None
                and {"intent": intent.name, "slots": dict(intent.slots)} == self.label
            )  # fmt: skip
            evidence = None if intent is None else decoder.weighed.row().tolist()
            row = {"piece": piece, "text": decoder.text, "right": right, "evidence": evidence}
            yield {**self.about, **row}
        if not heard:
            yield {**self.about, "piece": 0, "text": "", "right": False, "evidence": None}


def cases(
    folder: Path, speech: list[tuple[Path, str]], noise: Path, base: Any, every: int
) -> Iterator[Case]:
    whole = compiled(coffee_grammar(folder), base)
    drinks = coffee_grammar(folder)["lists"]["coffeeDrink"]
    lacking = {drink: compiled(coffee_grammar(folder, drink), base) for drink in drinks}
    home = compile_sentences(read_sentences(HOME), base)
    kitchen = folder / "data/noise/kitchen.wav"
    noises = [read_clip(kitchen)] if kitchen.is_file() else load_noises(noise)
    places = {f"ours {db}": Surroundings(snr_db=db, noise=noise).open() for db in OWN_DB}
    places[ROOM] = Surroundings(rt60_s=RT60_S, rooms=noise / "rir").open()

    def noisy(path: Path, number: int, level: Level) -> np.ndarray:
        clip = read_clip(path)
        if isinstance(level, str):
            return places[level].put(clip, path.stem)
        if level is None:
            return clip
        rng = np.random.default_rng((number, level))
        return add_noise(clip, loop_to(noises[number % len(noises)], len(clip), rng), level)

    for number, (path, label) in enumerate(orders(folder)):
        is_fit = number % 2 == 0
        for level in FIT_DB if is_fit else PLACES:
            make = partial(noisy, path, number, level)
            about: dict[str, Any] = {
                "number": number, "fit": is_fit, "level": level, "seconds": 0.0,
            }  # fmt: skip
            yield Case(whole, make, label, {**about, "kind": "order"})
            drink = label["slots"].get("coffeeDrink")
            if level in (NEAR_DB if is_fit else (None,)) and drink in lacking:
                yield Case(lacking[drink], make, None, {**about, "kind": "near"})
    for source, split in speech:
        chosen = [u for u in read_manifest(source) if split in ("all", u.split)]
        for number, utterance in enumerate(chosen[::every]):
            about = {
                "number": number, "fit": split == "dev", "level": None, "kind": "speech",
                "seconds": utterance.duration_s,
            }  # fmt: skip
            make = partial(read_clip, utterance.path)
            yield Case(whole, make, None, about)
            yield Case(home, make, None, {**about, "kind": "home"})
    yield from nobody(noise, whole)


def nobody(folder: Path, grammar: CommandGrammar) -> Iterator[Case]:
    """Noise and music, half of it to fit on."""
    kinds: dict[str, list[Path]] = {"coloured": [], "composed": []}
    kinds["recorded"] = noise_files(folder)
    number = 0
    for kind, files in kinds.items():
        for seed, level in enumerate(quiet.LEVELS_DB):
            pieces = quiet.sources(kind, files, NOISE_PIECES, seed)
            for piece in quiet.at_level(pieces, level):
                about = {
                    "number": number, "fit": number % 2 == 0, "level": None, "kind": "noise",
                    "seconds": quiet.PIECE_S,
                }  # fmt: skip
                yield Case(grammar, partial(np.asarray, piece), None, about)
                number += 1


def collect(ear: Ear, found: Iterable[Case]) -> Iterator[dict[str, Any]]:
    known, heard = tee(found)
    clips = ((case.grammar, case.make) for case in heard)
    for case, decoders in zip(known, ear.hear(clips), strict=True):
        yield from case.rows(decoders)


def fit(rows: list[dict[str, Any]]) -> Verdict:
    """Right against wrong, both of the same weight; then confidences that hold for orders."""
    used = [row for row in rows if row["fit"] and row["evidence"] is not None]
    x = np.array([[1.0, *row["evidence"]] for row in used])
    y = np.array([row["right"] for row in used], float)
    theta = regress(x, y, np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean())))
    spoken = np.array([row["kind"] == "order" for row in used])
    scores = (x @ theta)[spoken]
    shift, slope = regress(np.stack([np.ones_like(scores), scores], axis=1), y[spoken])
    theta = slope * theta
    theta[0] += shift
    return Verdict(round(float(theta[0]), 3), tuple(round(float(t), 3) for t in theta[1:]))


def regress(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray | float = 1.0, *, ridge: float = 1.0
) -> np.ndarray:
    """Logistic regression by Newton's method."""
    scale = np.abs(x).mean(axis=0) + 1e-9
    x = x / scale
    theta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ theta, -30, 30)))
        gradient = x.T @ (weight * (p - y)) + ridge * theta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(theta))
        theta = theta - np.linalg.solve(curvature, gradient)
    return np.asarray(theta / scale)


def confidence(verdict: Verdict, row: dict[str, Any]) -> float:
    if row["evidence"] is None:
        return 0.0
    return verdict.weigh(row["evidence"])


def main(
    picovoice: Path,
    speech: Annotated[list[str], typer.Option(help="A corpus and its split, DIR:SPLIT.")],
    noise: Annotated[Path, typer.Option(help="Noises, where PICOVOICE has none.")],
    rows: Annotated[Path | None, typer.Option(help="Where what was heard is kept.")] = None,
    every: Annotated[int, typer.Option(help="Take every so manieth utterance of speech.")] = 2,
    model: str | None = None,
    false_per_hour: float = 2.0,
    near_misses: float = 0.3,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Weigh by the verdict that ships; fit none.")
    ] = False,
    save: bool = False,
) -> None:
    if rows is not None and rows.is_file():
        found = [json.loads(line) for line in rows.read_text().splitlines()]
    else:
        engine = open_engine(bundle.find(model), device="cpu", decoder="graph", capacity=AT_ONCE)
        sources = [(Path(s.rpartition(":")[0]), s.rpartition(":")[2]) for s in speech]
        every_case = cases(picovoice, sources, noise, engine.facts.graph, every)
        found = list(collect(Ear(engine), every_case))
        if rows is not None:
            rows.write_text("".join(json.dumps(row) + "\n" for row in found))
    verdict = Verdict() if shipped else fit(found)
    print(verdict)
    for row in found:
        row["sure"] = confidence(verdict, row)
    tuning = curve_of([row for row in found if row["fit"]])
    point = next(
        point for point in tuning
        if point["false_per_hour"] <= false_per_hour
        and not point["false_per_hour_of_noise"]
        and point["near_misses_taken"]["clean"] <= near_misses
    )  # fmt: skip
    report([row for row in found if not row["fit"]], verdict, point["threshold"], save)


def count(rows: list[dict[str, Any]]) -> int:
    return len({row["number"] for row in rows})


def select(rows: list[dict[str, Any]], kind: str, level: Level) -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == kind and row["level"] == level]


def hours(rows: list[dict[str, Any]]) -> float:
    return float(sum(row["seconds"] for row in rows if not row["piece"])) / 3600


def per_hour(rows: list[dict[str, Any]], threshold: float) -> float:
    taken: int = sum(row["sure"] >= threshold for row in rows)
    return round(taken / hours(rows), 2)


def curve_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each threshold costs."""
    speech, noise = select(rows, "speech", None), select(rows, "noise", None)
    home = select(rows, "home", None)
    levels = [level for level in PLACES if select(rows, "order", level)]
    curve = []
    for threshold in THRESHOLDS:
        understood, wrong, taken = {}, {}, {}
        for level in levels:
            name = "clean" if level is None else f"{level}"
            said, near = select(rows, "order", level), select(rows, "near", level)
            sure = [row for row in said if row["sure"] >= threshold]
            bad = {row["number"] for row in sure if not row["right"]}
            good = {row["number"] for row in sure if row["right"]} - bad
            understood[name] = round(len(good) / count(said), 4)
            wrong[name] = round(len(bad) / count(said), 4)
            if near:
                accepted = [row for row in near if row["sure"] >= threshold]
                taken[name] = round(count(accepted) / count(near), 4)
        curve.append({
            "threshold": threshold, "false_per_hour": per_hour(speech, threshold),
            "false_per_hour_of_noise": per_hour(noise, threshold),
            "false_per_hour_at_home": per_hour(home, threshold),
            "near_misses_taken": taken, "understood": understood, "wrong": wrong,
        })  # fmt: skip
    return curve


def report(tests: list[dict[str, Any]], verdict: Verdict, threshold: float, save: bool) -> None:
    curve = curve_of(tests)
    for point in curve:
        print(*point.values())
    spoken = [row for row in tests if row["kind"] == "order"]
    error = calibration_error([row["sure"] for row in spoken], [row["right"] for row in spoken])
    print(f"calibration error of the confidences of orders, all levels: {error:.3f}")
    chosen = next(point for point in curve if point["threshold"] == threshold)
    print("operating point, chosen on the other half:", chosen)
    if save:
        draw(curve, RESULTS / "commands.png")
    finish(
        "commands",
        {
            "verdict": {"bias": verdict.bias, "weights": verdict.weights},
            "orders": count(spoken), "speech_h": round(hours(select(tests, "speech", None)), 2),
            "noise_h": round(hours(select(tests, "noise", None)), 2),
            "near": count(select(tests, "near", None)),
            "calibration_error": round(error, 4), "curve": curve, "chosen": chosen,
        },
        save=save,
    )  # fmt: skip


def calibration_error(sure: list[float], right: list[bool], bins: int = 10) -> float:
    """Mean distance of confidence and share of right ones over bins (Guo et al. 2017)."""
    confidences, hits = np.array(sure), np.array(right, float)
    which = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [
        abs(confidences[which == b].mean() - hits[which == b].mean()) * (which == b).mean()
        for b in np.unique(which)
    ]
    return float(sum(gaps))


def draw(curve: list[dict[str, Any]], file: Path) -> None:
    """The trade between missed orders and false accepts, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axis, key, label in (
        (axes[0], "false_per_hour", "false accepts an hour of read speech"),
        (axes[1], "near_misses_taken", "clean near misses taken for orders"),
    ):
        for level in ["clean", *map(str, LEVELS_DB[1:])]:
            missed = [1 - point["understood"][level] for point in curve]
            name = level if level == "clean" else f"{level} dB"
            taken = [p[key]["clean"] if isinstance(p[key], dict) else p[key] for p in curve]
            axis.plot(taken, missed, marker=".", label=name)
        axis.set(xlabel=label, ylabel="orders not understood", ylim=(0, 1))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    typer.run(main)
