"""``streamasr align``: when each word and phone of a corpus was said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import Device, DeviceOption
from streamasr.errors import MissingExtra, UsageError


def align(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model with a phone head: name or folder.")
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A folder with manifest.tsv, or LibriSpeech/train-clean-100."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="What to write: <corpus>.jsonl.gz.")
    ],
    split: Annotated[
        str | None, typer.Option("--split", help="Only the utterances of this split.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many, evenly spread.")
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option("--dictionary", metavar="FILE", help="Pronunciations, in CMU's format."),
    ] = None,
    device: DeviceOption = Device.CPU,
) -> None:
    """Find when each word and phone of a corpus was said.

    Training takes frame targets and pauses to cut at from it. Needs the extra [train].
    Words that the dictionary lacks are said by letter-to-sound rules; learning these
    takes two minutes, once. Put the file into the folder that [data] alignments names.

    \b
    Examples:
      streamasr align en-small data/speech/mine --out data/align/mine.jsonl.gz
      streamasr align en-small data/LibriSpeech/train-clean-100 \\
        --out data/align/train-clean-100.jsonl.gz
    """
    from streamasr.app.manifest import MANIFEST, read_manifest, thin_out
    from streamasr.edge import bundle

    try:
        from streamasr.app.train.aligner import align_corpus
        from streamasr.app.train.corpora import librispeech
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    if folder.parent.name == "LibriSpeech" and not (folder / MANIFEST).is_file():
        utterances = list(librispeech(folder.parent.parent, folder.name))
    else:
        utterances = [u for u in read_manifest(folder) if split in (None, u.split)]
    utterances = thin_out(utterances, limit)
    if not utterances:
        raise UsageError(f"nothing to align in {folder}", remedy="check --split")
    line = LiveLine(sys.stderr)
    report = align_corpus(
        bundle.find(model),
        utterances,
        out,
        dictionary=dictionary,
        device=_device(device),
        on_progress=lambda done: line.show(f"{done}/{len(utterances)}"),
    )
    line.clear()
    print(
        f"{out}: {report.aligned} of {len(utterances)} utterances aligned"
        f" ({report.unspeakable} unspeakable, {report.too_short} too short;"
        f" {report.guessed} words guessed)"
    )


def _device(device: Device) -> str:
    if device is not Device.AUTO:
        return device.value
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
