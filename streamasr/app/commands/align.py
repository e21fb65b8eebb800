"""``streamasr align``: when each word and phone of a corpus was said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import Device, DeviceOption, LimitOption, SplitOption
from streamasr.errors import MissingExtra

if TYPE_CHECKING:
    from streamasr.app.manifest import Utterance


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
    split: SplitOption = None,
    limit: LimitOption = None,
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
    from streamasr.app.manifest import choose
    from streamasr.edge import bundle

    try:
        from streamasr.app.train.aligner import align_corpus
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    utterances = choose(read_corpus(folder), split=split, limit=limit)
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


def read_corpus(folder: Path) -> list[Utterance]:
    """The utterances of a manifest, or of a subset of LibriSpeech, which is its only split."""
    from streamasr.app.manifest import MANIFEST, read_manifest
    from streamasr.app.train.corpora import librispeech

    if folder.parent.name == "LibriSpeech" and not (folder / MANIFEST).is_file():
        return list(librispeech(folder.parent.parent, folder.name))
    return read_manifest(folder)


def _device(device: Device) -> str:
    if device is not Device.AUTO:
        return device.value
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
