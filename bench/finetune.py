"""How much does a model gain from minutes of one person's speech?

    python bench/finetune.py DATA/speech/librispeech_test_clean_a:1320,2300,4507 --save
    python bench/finetune.py recordings/ada recordings/bob --others DATA/speech/an4 --save

A folder is what `streamasr finetune DIR` takes; where its manifest has several people, those that
are meant follow it. Each must be one that the model was not trained on. The last --test minutes of
a speaker (by the names of the utterances) are for measuring alone; from the first 2, 5 and 10
minutes, where there are so many, a personal model is made as `streamasr finetune` makes it, and
both models are streamed, int8, with both decoders. With --others the model of the most minutes is
measured on other people's speech too, sixty utterances taken evenly from a folder. A line of JSON
for each speaker; the last rows add all up. CPU s is processor time: everything from aligning to
measuring what was held back.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import typer

from bench.report import finish
from streamasr.app.finetune.gathering import Speech, gather
from streamasr.app.finetune.running import decoders, errors, make
from streamasr.app.manifest import Utterance, read_manifest, thin_out
from streamasr.app.train.adapt import Adaptation
from streamasr.app.wer import Errors
from streamasr.core.options import DecoderName
from streamasr.edge import bundle
from streamasr.edge.bundle import Bundle

DEFAULTS = Adaptation()
ENOUGH = 0.95
"""Share of the minutes asked for that must be there."""
OF_OTHERS = 60
"""Utterances that tell what the model has become for others."""

Totals = dict[DecoderName, Errors]


def take(utterances: list[Utterance], seconds: float) -> list[Utterance]:
    """The first that are so long together; all where they are shorter."""
    taken: list[Utterance] = []
    while len(taken) < len(utterances) and sum(u.duration_s for u in taken) < seconds:
        taken.append(utterances[len(taken)])
    return taken


def speakers(sources: list[str]) -> Iterator[tuple[str, list[Utterance]]]:
    """Each speaker's utterances in the order of their names."""
    for source in sources:
        folder, _, names = source.partition(":")
        for name in names.split(","):
            found = gather(Path(folder), name or None).utterances
            yield f"{Path(folder).name} {name}".strip(), sorted(found, key=lambda u: u.id)


def total(model: Path, utterances: list[Utterance], wanted: list[DecoderName]) -> Totals:
    """Errors of each decoder."""
    return {decoder: errors(model, utterances, decoder) for decoder in wanted}


def compared(before: Totals, after: Totals, prefix: str = "") -> dict[str, int]:
    """Words, and errors of each decoder before and after."""
    row = {f"{prefix}words": before["greedy"].length}
    for decoder, was in before.items():
        row |= {f"{prefix}{decoder}_before": was.total, f"{prefix}{decoder}": after[decoder].total}
    return row


def measure(
    base: Bundle,
    utterances: list[Utterance],
    minutes: list[float],
    test_s: float,
    how: Adaptation,
    others: tuple[list[Utterance], Totals],
) -> Iterator[dict[str, Any]]:
    """A row for each number of minutes that the speaker has."""
    test = take(utterances[::-1], test_s)
    rest = utterances[: len(utterances) - len(test)]
    wanted = decoders(base)
    before = total(base.path, test, wanted)
    for minute in minutes:
        speech = Speech(take(rest, minute * 60))
        if speech.duration_s < ENOUGH * minute * 60:
            return
        with tempfile.TemporaryDirectory() as work:
            started = time.process_time()
            outcome = make(base, speech, Path(work), name="personal", options=how)
            cpu_s = time.process_time() - started
            row = {"minutes": minute, "round": outcome.adapted.best, "cpu_s": round(cpu_s)}
            row |= compared(before, total(outcome.candidate, test, wanted))
            if others[0] and minute == max(minutes):
                now = total(outcome.candidate, others[0], wanted)
                row |= compared(others[1], now, "others_")
        yield row


def told(name: str, row: dict[str, Any]) -> str:
    """A row of the table."""
    cells = [name, f"{row['minutes']:g}", f"{row['words']}"]
    for column in ("greedy", "graph", "others_greedy", "others_graph"):
        if column in row:
            words = row["others_words" if column.startswith("others_") else "words"]
            was, now = (Errors(row[k], 0, 0, words) for k in (f"{column}_before", column))
            cells.append(f"{was.rate:.1%} -> {now.rate:.1%}")
        else:
            cells.append("")
    return f"| {' | '.join(cells)} | {row['round']} | {row['cpu_s']} |"


def mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All speakers' rows of as many minutes, added up."""
    added = {key: sum(row[key] for row in rows) for key in rows[0]}
    count = len(rows)
    return (
        added
        | {"minutes": rows[0]["minutes"], "round": round(added["round"] / count, 1)}
        | {"cpu_s": round(added["cpu_s"] / count)}
    )


def main(
    sources: Annotated[list[str], typer.Argument(metavar="DIR[:SPEAKER,SPEAKER...]...")],
    minutes: str = "2,5,10",
    test: float = 3.0,
    learning_rate: float = DEFAULTS.learning_rate,
    rounds: int = DEFAULTS.rounds,
    others: Annotated[Path | None, typer.Option(help="a folder with manifest.tsv")] = None,
    model: str | None = None,
    save: bool = False,
) -> None:
    base = bundle.load(bundle.find(model))
    how = Adaptation(learning_rate=learning_rate, rounds=rounds)
    wanted = [float(one) for one in minutes.split(",")]
    weights = base.info["checksums"]["weights.safetensors"][:12]
    figures = {"model": base.path.name, "weights": weights}
    figures |= {"learning_rate": learning_rate, "rounds": rounds}
    strangers = thin_out(read_manifest(others), OF_OTHERS) if others else []
    found: dict[float, list[dict[str, Any]]] = {}
    figures |= {"others": others.name} if others else {}
    known = (strangers, total(base.path, strangers, decoders(base)))
    print("| speaker | minutes | words | greedy | graph | others, greedy | graph | round | CPU s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, utterances in speakers(sources):
        rows = []
        for row in measure(base, utterances, wanted, test * 60, how, known):
            print(told(name, row), flush=True)
            rows.append(row)
            found.setdefault(row["minutes"], []).append(row)
        finish("finetune", figures | {"speaker": name, "rows": rows}, save=save)
    for rows in found.values():
        print(told(f"all {len(rows)}", mean(rows)))


if __name__ == "__main__":
    typer.run(main)
