"""Options that several verbs share, so that they read and mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.core.hotwords import HotWords
    from streamasr.core.recognizer import Engine


class Device(StrEnum):
    """What runs the model."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class DecoderChoice(StrEnum):
    """What turns the model's answers into words."""

    AUTO = "auto"
    GREEDY = "greedy"
    GRAPH = "graph"


ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Name or folder of the model; `streamasr models` lists them."),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="What runs the model.")]
DecoderOption = Annotated[
    DecoderChoice,
    typer.Option(
        "--decoder",
        help="graph searches with the model's language model, greedy is faster; "
        "auto takes the graph where the model has one.",
    ),
]
HotwordsOption = Annotated[
    str | None,
    typer.Option(
        "--hotwords",
        metavar='FILE|"A,B"',
        help="Words and phrases to expect, one a line or between commas; graph decoder only.",
    ),
]
CorpusArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder with manifest.tsv and its audio.")
]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="Only the utterances of this split.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only so many, evenly spread.")
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of the engine.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def open_model(
    model: str | None,
    *,
    device: Device,
    threads: int,
    decoder: DecoderChoice = DecoderChoice.AUTO,
) -> Engine:
    """Open the engine of a model for one stream; raises BundleError."""
    from streamasr.edge import bundle
    from streamasr.edge.engines import open_engine

    return open_engine(
        bundle.find(model),
        device=device.value,
        threads=threads,
        capacity=1,
        decoder=decoder.value,
    )


def read_hotwords(text: str | None, engine: Engine) -> HotWords | None:
    """The hot words of a file or a list, ready for the engine's streams.

    A line is a phrase, and may go on with ``:`` and a boost. Raises UsageError where the
    engine has no graph, or does not know how a phrase is said.
    """
    from streamasr.core.hotwords import DEFAULT_BOOST, HotWord, heat

    if not text:
        return None
    graph = engine.facts.graph
    if graph is None:
        raise UsageError(
            "the greedy decoder knows no hot words", remedy="use a model with a language model"
        )
    file = Path(text)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else text.split(",")
    wanted = []
    for line in filter(None, map(str.strip, lines)):
        phrase, colon, boost = line.partition(":")
        try:
            wanted.append(HotWord(phrase.strip(), float(boost) if colon else DEFAULT_BOOST))
        except ValueError:
            raise UsageError(f"the boost of {phrase!r} is {boost.strip()!r}, no number") from None
    hot = heat(graph, wanted)
    if hot.unknown:
        raise UsageError(
            f"nobody knows how to say {', '.join(hot.unknown)}",
            remedy="leave them out: their words are not in the model's lexicon",
        )
    return hot
