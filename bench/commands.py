"""Are spoken orders understood, and is everything else rejected? Fits and weighs the verdict.

    python bench/commands.py PICOVOICE --speech DATA/speech/librispeech_train_clean_5 dev \\
        --speech DATA/speech/librispeech_test_clean_a all --noise DATA/noise --rows rows.jsonl

PICOVOICE is a clone of Picovoice/speech-to-intent-benchmark: 619 orders to a coffee maker,
read by many people, with the grammar they follow; kitchen noise of its own. An order is
understood when its intent and all of its slots are right, it is not rejected, and nothing else
is understood in the recording.

*Near misses* are orders heard with a grammar that lacks the drink they ask for: every one
that is taken for another order is a false accept, the hardest kind. *Speech* is read books.
The verdict is fitted on every other order, clean and at 10 dB, and on the split "dev"; all that is
reported is of the rest. The operating point is the lowest threshold that takes no more than half of
the near misses, and no more than two sentences an hour where somebody reads without a pause.
With --rows what was heard is kept, and read the next time.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
import yaml

from bench.report import RESULTS, finish
from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import add_noise, load_noises, loop_to, read_clip
from streamasr.core.commands.decoder import CommandDecoder, Verdict
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge import bundle
from streamasr.edge.commands.grammar import CommandGrammar, compile_sentences
from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.engines import open_engine

LEVELS_DB = (None, 20, 10, 6, 0)
FIT_DB = (None, 10)
ENDPOINT_MS = 700
THRESHOLDS = (
    0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98,
)  # fmt: skip


@dataclass(frozen=True)
class Ear:
    """A recogniser that keeps its decoders."""

    recognizer: Recognizer

    def hear(self, grammar: CommandGrammar, samples: np.ndarray) -> list[CommandDecoder]:
        decoders: list[CommandDecoder] = []

        def make() -> CommandDecoder:
            decoders.append(CommandDecoder(grammar.model))
            return decoders[-1]

        options = StreamOptions(partials=False, endpoint_ms=ENDPOINT_MS, new_decoder=make)
        with self.recognizer.stream(options) as stream:
            stream.accept(samples.astype(np.float32))
            stream.finish()
        return [decoder for decoder in decoders if decoder.text]


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


def rows_of(
    ear: Ear,
    grammar: CommandGrammar,
    samples: np.ndarray,
    label: dict[str, Any] | None,
    **about: Any,
) -> Iterator[dict[str, Any]]:
    """A row for each sentence found, and one where none was found."""
    heard = ear.hear(grammar, samples)
    for number, decoder in enumerate(heard):
        intent = grammar.understand(decoder.text)
        right = (
            label is not None and intent is not None
            and {"intent": intent.name, "slots": dict(intent.slots)} == label
        )  # fmt: skip
        evidence = None if intent is None else decoder.weighed.row().tolist()
        yield {**about, "piece": number, "text": decoder.text, "right": right, "evidence": evidence}
    if not heard:
        yield {**about, "piece": 0, "text": "", "right": False, "evidence": None}


def collect(
    folder: Path,
    speech: list[tuple[Path, str]],
    noise: Path,
    recognizer: Recognizer,
    every: int,
) -> Iterator[dict[str, Any]]:
    ear, base = Ear(recognizer), recognizer.facts.graph
    whole = compiled(coffee_grammar(folder), base)
    drinks = coffee_grammar(folder)["lists"]["coffeeDrink"]
    lacking = {drink: compiled(coffee_grammar(folder, drink), base) for drink in drinks}
    kitchen = folder / "data/noise/kitchen.wav"
    noises = [read_clip(kitchen)] if kitchen.is_file() else load_noises(noise)
    rng = np.random.default_rng(0)
    for number, (path, label) in enumerate(orders(folder)[::every]):
        clip = read_clip(path)
        is_fit = number % 2 == 0
        about = {"number": number, "fit": is_fit, "seconds": len(clip) / 16_000}
        for level in FIT_DB if is_fit else LEVELS_DB:
            noisy = clip
            if level is not None:
                sound = noises[number % len(noises)]
                noisy = add_noise(clip, loop_to(sound, len(clip), rng), level)
            yield from rows_of(ear, whole, noisy, label, kind="order", level=level, **about)
        drink = label["slots"].get("coffeeDrink")
        if drink in lacking:
            yield from rows_of(ear, lacking[drink], clip, None, kind="near", level=None, **about)
    for source, split in speech:
        chosen = [u for u in read_manifest(source) if split in ("all", u.split)]
        for number, utterance in enumerate(chosen[::every]):
            clip = read_clip(utterance.path)
            about = {"number": number, "fit": split == "dev", "seconds": len(clip) / 16_000}
            yield from rows_of(ear, whole, clip, None, kind="speech", level=None, **about)


def fit(rows: list[dict[str, Any]], *, ridge: float = 1.0, rounds: int = 50) -> Verdict:
    """Logistic regression by Newton's method; both classes weigh the same."""
    used = [row for row in rows if row["fit"] and row["evidence"] is not None]
    x = np.array([[1.0, *row["evidence"]] for row in used])
    y = np.array([row["right"] for row in used], float)
    weight = np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    scale = np.abs(x).mean(axis=0) + 1e-9
    x = x / scale
    theta = np.zeros(x.shape[1])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(x @ theta, -30, 30)))
        gradient = x.T @ (weight * (p - y)) + ridge * theta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(theta))
        theta = theta - np.linalg.solve(curvature, gradient)
    theta = theta / scale
    return Verdict(round(float(theta[0]), 3), tuple(round(float(t), 3) for t in theta[1:]))


def confidence(verdict: Verdict, row: dict[str, Any]) -> float:
    if row["evidence"] is None:
        return 0.0
    score = verdict.bias + float(np.dot(row["evidence"], verdict.weights))
    return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))


def main(
    picovoice: Path,
    speech: Annotated[list[str], typer.Option(help="A corpus and its split, DIR:SPLIT.")],
    noise: Path,
    rows: Path | None = None,
    every: int = 1,
    model: str | None = None,
    false_per_hour: float = 2.0,
    near_misses: float = 0.5,
    save: bool = False,
) -> None:
    if rows is not None and rows.is_file():
        found = [json.loads(line) for line in rows.read_text().splitlines()]
    else:
        engine = open_engine(bundle.find(model), device="cpu", decoder="graph")
        sources = [(Path(s.rpartition(":")[0]), s.rpartition(":")[2]) for s in speech]
        begun = time.process_time()
        found = []
        for row in collect(picovoice, sources, noise, Recognizer(engine), every):
            found.append(row)
            if rows is not None:
                with rows.open("a") as out:
                    out.write(json.dumps(row) + "\n")
        heard_s = sum(row["seconds"] for row in found if not row["piece"])
        print(
            f"{heard_s / 3600:.2f} h at {(time.process_time() - begun) / heard_s:.4f} of real time"
        )
    verdict = fit(found)
    print(verdict)
    tests = [{**row, "sure": confidence(verdict, row)} for row in found if not row["fit"]]
    report(tests, verdict, (false_per_hour, near_misses), save)


def report(
    tests: list[dict[str, Any]], verdict: Verdict, most: tuple[float, float], save: bool
) -> None:
    speech_h = sum(row["seconds"] for row in of_kind(tests, "speech") if not row["piece"]) / 3600
    print("threshold | false/h of speech | near misses taken | orders understood (dB) | wrong")
    curve = [weigh(tests, speech_h, threshold) for threshold in THRESHOLDS]
    for point in curve:
        print(*point.values())
    error = calibration_error(
        [row["sure"] for row in tests if row["kind"] == "order"],
        [row["right"] for row in tests if row["kind"] == "order"],
    )
    print(f"calibration error of the confidences of orders, all levels: {error:.3f}")
    fine = [
        p for p in curve if p["false_per_hour"] <= most[0] and p["near_misses_taken"] <= most[1]
    ]
    chosen = fine[0]
    print("operating point:", chosen)
    if save:
        draw(curve, RESULTS / "commands.png")
    finish(
        "commands",
        {
            "verdict": {"bias": verdict.bias, "weights": verdict.weights},
            "orders": recordings(of_kind(tests, "order")), "speech_h": round(speech_h, 2),
            "near": recordings(of_kind(tests, "near")),
            "calibration_error": round(error, 4), "curve": curve, "chosen": chosen,
        },
        save=save,
    )  # fmt: skip


def of_kind(
    tests: list[dict[str, Any]], kind: str, level: int | None = None
) -> list[dict[str, Any]]:
    """The rows of a kind of recording with noise at a level; None for those without."""
    return [row for row in tests if row["kind"] == kind and row["level"] == level]


def recordings(rows: list[dict[str, Any]]) -> int:
    return len({row["number"] for row in rows})


def weigh(tests: list[dict[str, Any]], speech_h: float, threshold: float) -> dict[str, Any]:
    """What is taken and understood where all that is as sure as a threshold is taken."""
    false = sum(row["sure"] >= threshold for row in of_kind(tests, "speech"))
    near = of_kind(tests, "near")
    taken = recordings([row for row in near if row["sure"] >= threshold]) / recordings(near)
    understood, wrong = {}, {}
    for level in LEVELS_DB:
        said = of_kind(tests, "order", level)
        sure = [row for row in said if row["sure"] >= threshold]
        bad = {row["number"] for row in sure if not row["right"]}
        good = {row["number"] for row in sure if row["right"]} - bad
        name = "clean" if level is None else f"{level}"
        understood[name] = round(len(good) / recordings(said), 4)
        wrong[name] = round(len(bad) / recordings(said), 4)
    return {
        "threshold": threshold, "false_per_hour": round(false / speech_h, 2),
        "near_misses_taken": round(taken, 4), "understood": understood, "wrong": wrong,
    }  # fmt: skip


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
        (axes[1], "near_misses_taken", "near misses taken for orders"),
    ):
        for level in curve[0]["understood"]:
            missed = [1 - point["understood"][level] for point in curve]
            name = level if level == "clean" else f"{level} dB"
            axis.plot([point[key] for point in curve], missed, marker=".", label=name)
        axis.set(xlabel=label, ylabel="orders not understood", ylim=(0, 1))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    typer.run(main)
