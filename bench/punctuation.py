"""Are marks and capitals right? Rules against the model, on text that it was not trained on.

    python bench/punctuation.py DATA [--recognised HYPOTHESES,CORPUS]... [--save]

The lines are those that the recipe holds out: two whole books, the latest speeches, prompts.
They are heard in three ways: word for word without a pause, as where text is transcribed; with
pauses; and with pauses and errors, a word in ten another one and one in thirty missing.
Pauses are drawn: one after three sentences of four, one comma of five, one other word of a
hundred. In LJ Speech, by its alignment, 0.4 s of silence follow 30 % of the sentences that do
not end a recording, 13 % of the commas and 0.3 % of the other words; speech that is not read
has more. The rules get the pauses too, and set a full stop at each.

With --recognised what a recogniser heard (`streamasr eval CORPUS --out HYPOTHESES`) is given
marks, where the transcripts of the corpus have some; every recording ends with a pause.
"""

from __future__ import annotations

import json
import sys
import time
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.report import finish
from streamasr.app.manifest import read_manifest
from streamasr.app.punctuation.measure import (
    LABELS,
    Answering,
    by_network,
    by_rules,
    mean,
    measure,
)
from streamasr.app.train.punctuation.passages import IGNORED, Coded, Heard, Noise, hear
from streamasr.app.train.punctuation.text import UNKNOWN, Part, Text, read_words
from streamasr.core.punctuation.tokens import PAUSE, Mark, features
from streamasr.edge.punctuation import OnnxNetwork, find

ROOT = Path(__file__).parent.parent
PAUSING = (0.0, 1.0, 0.0)
ERRORS = Noise(changed=0.1, dropped=0.033, digits=0.0)
NO_ERRORS = Noise(changed=0.0, dropped=0.0, digits=0.0)


def recognised(hypotheses: Path, manifest: Path) -> tuple[Heard, float]:
    """What was heard of recordings, the marks of their texts set where the same words were
    heard; and the share of the words that were not."""
    heard_texts = {}
    for line in hypotheses.read_text().splitlines():
        row = json.loads(line)
        heard_texts[row["id"]] = row["hypothesis"].split()
    ids, marks, cases, wrong, total = [], [], [], 0, 0
    for utterance in read_manifest(manifest):
        text = read_utterance(utterance.text)
        words = heard_texts.get(utterance.id)
        if words is None or not text.words:
            continue
        got_marks, got_cases = [int(Mark.NONE)] * len(words), [0] * len(words)
        matcher = SequenceMatcher(None, text.words, words, autojunk=False)
        for kind, a0, a1, b0, b1 in matcher.get_opcodes():
            wrong += 0 if kind == "equal" else max(a1 - a0, b1 - b0)
            # the words of an error are paired from its end, where its mark is
            for back in range(1, min(a1 - a0, b1 - b0) + 1):
                got_marks[b1 - back] = text.marks[a1 - back]
                got_cases[b1 - back] = text.cases[a1 - back]
        total += len(text.words)
        ids += [features(word) for word in [*words, PAUSE]]
        marks += [*got_marks, IGNORED]
        cases += [*got_cases, UNKNOWN]
    heard = Heard(np.array(ids, np.int32), np.array(marks, np.int8), np.array(cases, np.int8))
    return heard, wrong / max(1, total)


def read_utterance(text: str) -> Text:
    """A transcript, whose end need not be a sentence's."""
    ended = text.rstrip(" \"'")
    return read_words([text]) if ended[-1:] in (".", "?", "!") else _cut(ended)


def _cut(text: str) -> Text:
    """A transcript that ends inside a sentence: it is ended for the reader, and cut again."""
    found = read_words([f"{text} endofit."])
    return Text(found.words[:-1], found.marks[:-1], found.cases[:-1], found.starts)


def main(
    data: Annotated[Path, typer.Argument(metavar="DATA")],
    model: Annotated[str | None, typer.Option("--model")] = None,
    recognised_by: Annotated[
        list[str] | None, typer.Option("--recognised", metavar="HYPOTHESES,CORPUS")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Append to bench/results.")] = False,
) -> None:
    from streamasr.app.train.punctuation.recipe import load_recipe

    network = OnnxNetwork(find(model))
    recipe = load_recipe(ROOT / "recipes" / "punctuation" / "en.toml")
    systems: dict[str, Answering] = {
        "no marks": lambda heard: by_rules(heard, marks=False),
        "rules": lambda heard: by_rules(heard, marks=True),
        "model, 1 word": by_network(network, waits=1),
        "model, 2 words": by_network(network),
    }
    texts = [
        (part, Coded.of(read_words(Part.parse(part).lines(data)))) for part in recipe.data.test
    ]
    conditions: list[tuple[str, Heard]] = []
    for part, coded in texts:
        rng = np.random.default_rng(0)
        name = part.removeprefix("text/")
        conditions += [
            (f"{name}, no pauses", hear(coded, rng, None)),
            (f"{name}, pauses", hear(coded, rng, NO_ERRORS, speakers=PAUSING, naming=0)),
            (f"{name}, errors", hear(coded, rng, ERRORS, speakers=PAUSING, naming=0)),
        ]
    for pair in recognised_by or ():
        hypotheses, _, corpus = pair.partition(",")
        heard, wrong = recognised(Path(hypotheses), Path(corpus))
        conditions.append((f"{Path(corpus).name}, recognised, {wrong:.1%} wrong", heard))
    table = Table("text", "words", "system", *(f"{label} F1" for label in LABELS), "mean of marks")
    rows = []
    for name, heard in conditions:
        table.add_section()
        for system, answering in systems.items():
            found = measure(heard, answering(heard))
            overall = mean(found[label] for label in LABELS[:3])
            figures = [f"{100 * found[label].f1:.1f}" for label in LABELS]
            table.add_row(
                name, str(int(heard.words.sum())), system, *figures, f"{100 * overall:.1f}"
            )
            scores = {label: round(found[label].f1, 4) for label in LABELS}
            rows.append({"text": name, "system": system, **scores})
    Console(width=130).print(table)
    finish("punctuation", {"rows": rows, "ms_per_word": round(1e3 * cost(network), 4)}, save=save)


def cost(network: OnnxNetwork) -> float:
    """Seconds for one word alone, the median of many."""
    ids = np.array([features("hello")], np.int64)
    spent = []
    for _ in range(2000):
        started = time.perf_counter()
        network.run(ids, network.start)
        spent.append(time.perf_counter() - started)
    return float(np.median(spent))


if __name__ == "__main__":
    typer.run(main)
