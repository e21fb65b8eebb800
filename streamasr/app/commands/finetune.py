"""``streamasr finetune``: a model made one's own."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app.cli import INTERRUPTED
from streamasr.app.live import LiveLine
from streamasr.app.options import InputOption, ModelOption
from streamasr.app.table import print_table
from streamasr.errors import BundleError, MissingExtra, UsageError

if TYPE_CHECKING:
    from streamasr.app.finetune.gathering import Speech
    from streamasr.app.finetune.running import Outcome
    from streamasr.edge.bundle import Bundle

NEEDED = ("torch", "safetensors", "onnx", "sentencepiece", "tomli_w")
"""Packages of the extra [train] without which no model is made."""


FolderArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Speech: manifest.tsv, or audio files each beside its words in a .txt. With "
        "--record where to keep it; one in the user's data folder without it.",
    ),
]
RecordOption = Annotated[
    bool, typer.Option("--record", help="Show sentences to read, and record them.")
]
DictatedOption = Annotated[
    bool, typer.Option("--dictated", help="Take what `dictate` kept, once you corrected it.")
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Whose: the model is called MODEL-NAME.")
]
MinutesOption = Annotated[
    float, typer.Option("--minutes", min=1.0, max=60.0, help="Speech to record.")
]
PromptsOption = Annotated[
    Path | None, typer.Option("--prompts", metavar="FILE", help="Sentences to read, one a line.")
]
SpeakerOption = Annotated[
    str | None,
    typer.Option("--speaker", help="Whose speech, where a manifest has that of several."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Install the model even where it is no better.")
]
UndoOption = Annotated[
    bool, typer.Option("--undo", help="Delete the personal model; recordings stay.")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=0, help="CPU threads; 0 for one a core.")
]


def finetune(
    folder: FolderArgument = None,
    record: RecordOption = False,
    dictated: DictatedOption = False,
    name: NameOption = "me",
    minutes: MinutesOption = 10.0,
    prompts: PromptsOption = None,
    input: InputOption = None,
    speaker: SpeakerOption = None,
    force: ForceOption = False,
    undo: UndoOption = False,
    threads: ThreadsOption = 0,
    model: ModelOption = None,
) -> None:
    """Adapt a model to your voice and microphone.

    Takes ten minutes of your speech, read from the screen or already in a folder, and
    some minutes of CPU. A sixth of it is held back to tell when to stop, and what was
    gained. The personal model is installed beside the one that it was made from, and only
    where it is better. Needs the extra [train]; --record needs [mic] too.

    \b
    Examples:
      streamasr finetune --record
      streamasr finetune recordings/ --name ada
      streamasr finetune --dictated
      streamasr dictate --model en-small-me
      streamasr finetune --undo
    """
    from streamasr.app.finetune import gathering, personal
    from streamasr.edge import bundle
    from streamasr.edge.folders import data_folder

    base = bundle.load(bundle.find(model))
    wanted = f"{base.path.name}-{name}"
    if undo:
        place = personal.remove(wanted)
        print(f"{place} is deleted; {base.path.name} is as it was")
        return
    check_name(name)
    personal.check_name(wanted)
    if dictated:
        folder = dictations(record=record, folder=folder)
    if not record and folder is None:
        raise UsageError(
            "there is no speech to learn from", remedy="give a folder, --record or --dictated"
        )
    check_extra()
    personal.check_base(base)
    folder = folder or data_folder() / "speech" / name
    if record and not read_aloud(base, folder, prompts=prompts, microphone=input, minutes=minutes):
        print(
            f"{folder} keeps what there is: the same command goes on with it, "
            f"`streamasr finetune {folder}` makes a model of it"
        )
        raise typer.Exit(INTERRUPTED)
    speech = gathering.gather(folder, speaker)
    print(f"{folder}: {speech.told()}", file=sys.stderr)
    make_and_install(base, speech, name=wanted, force=force, threads=threads)


def dictations(*, record: bool, folder: Path | None) -> Path:
    """Where dictation keeps what was said; raises UsageError where another folder is asked for."""
    from streamasr.app.dictation.keeping import kept_folder

    if record or folder is not None:
        raise UsageError("--dictated is a folder of its own", remedy="one at a time")
    return kept_folder()


def check_extra() -> None:
    """Raise MissingExtra where training could not begin, before anything is recorded."""
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(package, "train")


def read_aloud(
    base: Bundle, folder: Path, *, prompts: Path | None, microphone: str | None, minutes: float
) -> bool:
    """Record sentences into a folder; False where it was ended before there was enough."""
    from streamasr.app.finetune.prompts import read_prompts
    from streamasr.app.finetune.recording import Keys, Reader
    from streamasr.app.finetune.shelf import Shelf
    from streamasr.app.listening import stop_on_signals
    from streamasr.app.live import Display
    from streamasr.edge.engines import open_engine
    from streamasr.edge.microphone import Microphone
    from streamasr.edge.portaudio import libraries_apart

    sentences, shelf = read_prompts(prompts), Shelf(folder)
    engine = open_engine(base.path, device="cpu", decoder="auto")
    with (
        libraries_apart() as err,
        Microphone(microphone) as heard,
        stop_on_signals(heard.stop),
    ):
        display = Display(sys.stdout, err)
        display.note(f"listening to {heard.device.name}; recordings go to {folder}")
        display.note("read each sentence aloud, then pause, or press Enter; Ctrl-C ends")
        reader = Reader(engine, shelf, sentences, display, keys=Keys(sys.stdin))
        return reader.run(heard.items(), seconds=minutes * 60)


def make_and_install(base: Bundle, speech: Speech, *, name: str, force: bool, threads: int) -> None:
    """Adapt, show what it brought, and install what is better."""
    import torch

    from streamasr.app.finetune import personal, running

    if threads:
        torch.set_num_threads(threads)

    line = LiveLine(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="streamasr-") as work:
        outcome = running.make(base, speech, Path(work), name=name, tell=line.show)
        line.clear()
        show(outcome)
        if not (outcome.is_better or force):
            raise BundleError(
                f"the new model is no better on held-back speech than {base.path.name}: "
                "it is not installed",
                remedy="record more, or --force",
            )
        place = personal.install(outcome.candidate)
    print(
        f"{name} is installed in {place.parent}\n"
        f'to use it: streamasr dictate --model {name}, or model = "{name}" in dictation.toml\n'
        f"to be rid of it: streamasr finetune --undo --name {name.removeprefix(base.path.name)[1:]}"
    )


def show(outcome: Outcome) -> None:
    """Tell what was gained."""
    print(
        f"{outcome.speech.told()}; round {outcome.adapted.best} of "
        f"{len(outcome.adapted.held) - 1} was best; {outcome.seconds:.0f} s"
    )
    rows = [
        (decoder, str(score.after.length), f"{score.before.rate:.1%}", f"{score.after.rate:.1%}")
        for decoder, score in outcome.scores.items()
    ]
    print_table(("DECODER", "WORDS HELD BACK", "WER BEFORE", "WER AFTER"), rows, right={1, 2, 3})


def check_name(name: str) -> None:
    """Raise UsageError for a name that cannot stand in a folder's."""
    if not name or not all(char.isalnum() or char in "-_" for char in name):
        raise UsageError(f"{name!r} cannot be a model's name", remedy="letters, digits, - and _")
