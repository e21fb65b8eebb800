"""``streamasr eval``: a model's word error rate on a folder of speech."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import DecoderChoice, DecoderOption, Device, DeviceOption, ModelOption
from streamasr.app.table import print_table
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.app.evaluate import Decoded, Task


def eval(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder with manifest.tsv and its audio.")
    ],
    split: Annotated[
        str | None, typer.Option("--split", help="Only the utterances of this split.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many, evenly spread.")
    ] = None,
    snr: Annotated[
        float | None, typer.Option("--snr", metavar="DB", help="Mix in noise at this ratio.")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option("--noise", metavar="DIR", help="A folder of noises for --snr.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that share the work.")] = 1,
    align: Annotated[
        Path | None,
        typer.Option(
            "--align", metavar="DIR", help="Word alignments, to measure the emission delay too."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write every hypothesis here.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="MODEL|FILE",
            help="Compare with another model, or with the hypotheses that --out wrote.",
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the figures in bundle.toml, by decoder.")
    ] = False,
    model: ModelOption = None,
    decoder: DecoderOption = DecoderChoice.AUTO,
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
      streamasr eval data/test-clean --model new --against old
    """
    from streamasr.app.comparison import compare
    from streamasr.app.evaluate import (
        Task,
        decode_all,
        measure_delays_ms,
        record_result,
        summarise,
        write_hypotheses,
    )
    from streamasr.app.manifest import read_manifest, thin_out
    from streamasr.edge import bundle

    if (snr is None) != (noise is None):
        raise UsageError("--snr and --noise belong together", remedy="give both or none")
    utterances = [u for u in read_manifest(folder) if split in (None, u.split)]
    utterances = thin_out(utterances, limit)
    if not utterances:
        raise UsageError(f"nothing to decode in {folder}", remedy="check --split")
    path = bundle.find(model)
    task = Task(path, device=device.value, decoder=decoder.value, snr_db=snr, noise=noise)
    results = list(watched(decode_all(task, utterances, jobs=jobs), len(utterances)))
    if out is not None:
        write_hypotheses(results, out)
    delays_ms = measure_delays_ms(results, align) if align is not None else []
    used = bundle.load(path).resolve_decoder(decoder.value)
    summary = summarise(results, path.name, delays_ms) | {"decoder": used}
    if record:
        condition = f"{folder.name}_{used}" + (f"_snr{snr:g}" if snr is not None else "")
        record_result(path, condition, summary)
    if against is None:
        show(summary)
        return
    others = decode_other(against, task, results, jobs=jobs)
    name = Path(against).name
    other = summarise(others, name) | ({"rtf": None} if Path(against).is_file() else {})
    show(summary | {"comparison": compare(results, others, name)}, other)


def decode_other(
    against: str, task: Task, results: Sequence[Decoded], *, jobs: int
) -> list[Decoded]:
    """What another model, or a file of hypotheses, makes of the same utterances."""
    from streamasr.app.comparison import read_hypotheses
    from streamasr.app.evaluate import decode_all
    from streamasr.edge import bundle

    if Path(against).is_file():
        return read_hypotheses(Path(against), results)
    other = replace(task, model=bundle.find(against))
    utterances = [r.utterance for r in results]
    return list(watched(decode_all(other, utterances, jobs=jobs), len(utterances)))


def watched(results: Iterable[Decoded], total: int) -> Iterator[Decoded]:
    """Show the progress on a terminal."""
    line = LiveLine(sys.stderr)
    for number, result in enumerate(results, start=1):
        line.show(f"{number}/{total}  {result.hypothesis}")
        yield result
    line.clear()


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
