"""``streamasr eval``: a model's word error rate on a folder of speech."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import (
    CorpusArgument,
    DecoderChoice,
    DecoderOption,
    Device,
    DeviceOption,
    HotwordsOption,
    LimitOption,
    ModelOption,
    SplitOption,
    parse_hotwords,
)
from streamasr.app.table import print_table
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.app.evaluate import Decoded, Task
    from streamasr.app.manifest import Utterance
    from streamasr.app.surroundings import Surroundings


SnrOption = Annotated[
    float | None, typer.Option("--snr", metavar="DB", help="Mix in noise at this ratio.")
]
NoiseOption = Annotated[
    Path | None, typer.Option("--noise", metavar="DIR", help="A folder of noises for --snr.")
]
Rt60Option = Annotated[
    float | None,
    typer.Option("--rt60", metavar="S", help="Speak in rooms that reverberate so long."),
]
RoomsOption = Annotated[
    Path | None, typer.Option("--rooms", metavar="DIR", help="Impulse responses for --rt60.")
]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Processes that share the work.")]
AlignOption = Annotated[
    Path | None, typer.Option("--align", metavar="DIR", help="Word alignments: tell delays too.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write every hypothesis here.")
]
AgainstOption = Annotated[
    str | None,
    typer.Option("--against", metavar="MODEL|FILE", help="Compare with it, or what --out wrote."),
]
RecordOption = Annotated[
    bool, typer.Option("--record", help="Keep the figures in bundle.toml, by decoder.")
]


def eval(
    folder: CorpusArgument,
    split: SplitOption = None,
    limit: LimitOption = None,
    snr: SnrOption = None,
    noise: NoiseOption = None,
    rt60: Rt60Option = None,
    rooms: RoomsOption = None,
    jobs: JobsOption = 1,
    align: AlignOption = None,
    out: OutOption = None,
    against: AgainstOption = None,
    record: RecordOption = False,
    model: ModelOption = None,
    decoder: DecoderOption = DecoderChoice.AUTO,
    hotwords: HotwordsOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Measure a model's word error rate on a folder of speech.

    Decodes through the same stream as the daemon. Prints a table with a 95 % interval,
    then one line of JSON for programs. With --against the same speech is decoded by another
    model too, and a paired bootstrap tells whether the difference is more than chance.

    \b
    Examples:
      streamasr eval data/test-clean --out hypotheses.jsonl
      streamasr eval data/test-clean --limit 200 --snr 10 --noise data/noise --jobs 2
      streamasr eval data/test-clean --rt60 0.5 --rooms data/rir
      streamasr eval data/test-clean --model new --against old
    """
    from streamasr.app import evaluate, manifest
    from streamasr.app.surroundings import Surroundings
    from streamasr.edge import bundle

    path = bundle.find(model)
    surroundings = Surroundings(snr, noise, rt60, rooms)
    if bundle.read_document(path).get("kind") == bundle.WORDS:
        if any(given is not None for given in (align, out, against)):
            raise UsageError("a word classifier has no --align, --out or --against")
        eval_words(path, folder, split, limit, surroundings)
        return
    task = evaluate.Task(
        path, device=device.value, decoder=decoder.value, surroundings=surroundings,
        hotwords=parse_hotwords(hotwords),
    )  # fmt: skip
    utterances = manifest.choose(manifest.read_manifest(folder), split=split, limit=limit)
    results = decode_watched(task, utterances, jobs=jobs, out=out)
    delays_ms = evaluate.measure_delays_ms(results, align) if align is not None else []
    summary = evaluate.summarise(results, path.name, delays_ms) | {"decoder": task.decoder_used}
    if record:
        evaluate.record_result(path, task.condition(folder.name), summary)
    if against is None:
        show(summary)
    else:
        show_against(against, task, results, summary, jobs=jobs)


def eval_words(
    path: Path, folder: Path, split: str | None, limit: int | None, surroundings: Surroundings
) -> None:
    """Measure a word classifier on a folder of recordings, and print what it gets right."""
    from streamasr.app import manifest
    from streamasr.app.wordeval import measure_words, print_classes
    from streamasr.edge.words import WordClassifier, load_words

    utterances = manifest.choose(manifest.read_manifest(folder), split=split, limit=limit)
    line = LiveLine(sys.stderr)
    found = measure_words(
        WordClassifier(load_words(path)),
        utterances,
        surroundings.open(),
        on_progress=lambda done: line.show(f"{done}/{len(utterances)}"),
    ).figures()
    line.clear()
    print_classes(found)
    print(json.dumps({"model": path.name, "surroundings": surroundings.name, **found}))


def decode_watched(
    task: Task, utterances: Sequence[Utterance], *, jobs: int, out: Path | None = None
) -> list[Decoded]:
    """Decode, show the progress on a terminal, and write the hypotheses to a file."""
    from streamasr.app.evaluate import decode_all, write_hypotheses

    line = LiveLine(sys.stderr)
    results = []
    for result in decode_all(task, utterances, jobs=jobs):
        results.append(result)
        line.show(f"{len(results)}/{len(utterances)}  {result.hypothesis}")
    line.clear()
    if out is not None:
        write_hypotheses(results, out)
    return results


def show_against(
    against: str, task: Task, results: Sequence[Decoded], summary: dict[str, Any], *, jobs: int
) -> None:
    """Print what another model, or a file of hypotheses, made of the same utterances."""
    from streamasr.app.comparison import compare, read_hypotheses
    from streamasr.app.evaluate import summarise
    from streamasr.edge import bundle

    file = Path(against)
    if file.is_file():
        others = read_hypotheses(file, results)
        other = summarise(others, file.name) | {"rtf": None}
    else:
        task = replace(task, model=bundle.find(against))
        others = decode_watched(task, [r.utterance for r in results], jobs=jobs)
        other = summarise(others, file.name)
    show(summary | {"comparison": compare(results, others, file.name)}, other)


def show(summary: dict[str, Any], *others: dict[str, Any]) -> None:
    """Print a table for people and the JSON line for programs."""
    names = ("words", "substitutions", "deletions", "insertions")
    head = ("UTTERANCES", *(name.upper() for name in names), "WER", "95 %", "CER", "RTF", "MODEL")
    rows = [
        (
            str(found["utterances"]),
            *(str(found[name]) for name in names),
            f"{found['wer']:.2%}",
            f"{found['wer_low']:.2%} .. {found['wer_high']:.2%}",
            f"{found['cer']:.2%}",
            "-" if found["rtf"] is None else f"{found['rtf']:.4f}",
            str(found["model"]),
        )
        for found in (summary, *others)
    ]
    print_table(head, rows, right=range(len(head) - 1))
    if "comparison" in summary:
        show_comparison(summary["comparison"], summary["model"])
    print(json.dumps(summary))


def show_comparison(found: dict[str, Any], model: str) -> None:
    """Print how the error rates differ, in points, and how sure that is."""
    print(f"\n{model} less {found['against']}: {100 * found['difference']:+.2f} points of WER")
    ways = {"utterances": found["by_utterance"], "speakers": found["by_speaker"]}
    rows = [
        (
            f"{way['clusters']} {name}",
            f"{100 * way['low']:+.2f} .. {100 * way['high']:+.2f}",
            f"{way['better']:.2%}",
        )
        for name, way in ways.items()
    ]
    print_table(("DRAWN", "95 %", f"{model} IS BETTER"), rows, right=(1, 2))
