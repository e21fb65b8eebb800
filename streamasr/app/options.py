"""Options that several verbs share, so that they read and mean the same everywhere."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.core.hotwords import HotWord, HotWords
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
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME|N",
        help="Microphone by number or a part of its name; the system's default without it.",
    ),
]
PunctuateOption = Annotated[
    bool, typer.Option("--punctuate", help="Write marks and capitals too: finished sentences.")
]
HotwordsOption = Annotated[
    str | None,
    typer.Option(
        "--hotwords",
        metavar='FILE|"A,B"',
        help="Words and phrases to expect, one a line or between commas, each with :BOOST "
        "if need be; graph decoder only.",
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
RecipeArgument = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A TOML file; see recipes/.")
]
DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The folder that the recipe's names are in.")
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of the engine.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def open_model(
    model: str | None,
    *,
    device: Device,
    threads: int,
    decoder: DecoderChoice = DecoderChoice.AUTO,
    capacity: int = 1,
) -> Engine:
    """Open the engine of a model for one stream, or for ``capacity``; raises BundleError."""
    from streamasr.edge import bundle
    from streamasr.edge.engines import open_engine

    return open_engine(
        bundle.find(model),
        device=device.value,
        threads=threads,
        capacity=capacity,
        decoder=decoder.value,
    )


def hotword_texts(text: str | None) -> tuple[str, ...]:
    """The hot words of a file, one a line, or of a list with commas; see `HotWord.parse`."""
    if not text:
        return ()
    file = Path(text)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{file} holds no hot words", remedy="one a line, in UTF-8") from None
    except OSError as error:
        if os.sep in text or file.suffix == ".txt":
            raise UsageError(f"cannot read {file}: {error.strerror}") from None
        lines = text.split(",")
    return tuple(filter(None, map(str.strip, lines)))


def parse_hotwords(text: str | None) -> tuple[HotWord, ...]:
    """The hot words that ``--hotwords`` names."""
    from streamasr.core.hotwords import HotWord

    return tuple(HotWord.parse(one) for one in hotword_texts(text))


def read_hotwords(text: str | None, engine: Engine) -> HotWords | None:
    """What ``--hotwords`` names, ready for the engine's streams; ConfigError as `heat_known`."""
    from streamasr.core.hotwords import heat_known

    return heat_known(engine.facts.graph, parse_hotwords(text))
