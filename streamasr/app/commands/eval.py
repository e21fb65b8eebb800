"""``streamasr eval``: a model's word error rate on a folder of speech."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import Device, DeviceOption, ModelOption
from streamasr.app.table import print_table
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.app.evaluate import Decoded


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
    record: Annotated[
        bool, typer.Option("--record", help="Keep the figures in the model's bundle.toml.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Measure a model's word error rate on a folder of speech.

    Decodes through the same stream as the daemon. Prints a table with a 95 % interval,
    then one line of JSON for programs.

    \b
    Examples:
      streamasr eval data/test-clean --out hypotheses.jsonl
      streamasr eval data/test-clean --limit 200 --snr 10 --noise data/noise --jobs 2
    """
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
    task = Task(path, device=device.value, snr_db=snr, noise=noise)
    results = list(watched(decode_all(task, utterances, jobs=jobs), len(utterances)))
    if out is not None:
        write_hypotheses(results, out)
    delays_ms = measure_delays_ms(results, align) if align is not None else []
    summary = summarise(results, path.name, delays_ms)
    if record:
        condition = folder.name if snr is None else f"{folder.name}_snr{snr:g}"
        record_result(path, condition, summary)
    show(summary)


def watched(results: Iterable[Decoded], total: int) -> Iterator[Decoded]:
    """Show the progress on a terminal."""
    line = LiveLine(sys.stderr)
    for number, result in enumerate(results, start=1):
        line.show(f"{number}/{total}  {result.hypothesis}")
        yield result
    line.clear()


def show(summary: dict[str, Any]) -> None:
    """Print a table for people and the JSON line for programs."""
    names = ("words", "substitutions", "deletions", "insertions")
    head = ("UTTERANCES", *(name.upper() for name in names), "WER", "95 %", "CER", "RTF")
    row = (
        str(summary["utterances"]),
        *(str(summary[name]) for name in names),
        f"{summary['wer']:.2%}",
        f"{summary['wer_low']:.2%} .. {summary['wer_high']:.2%}",
        f"{summary['cer']:.2%}",
        f"{summary['rtf']:.4f}",
    )
    print_table(head, [row], right=range(len(head)))
    print(json.dumps(summary))
