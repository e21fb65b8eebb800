"""Options that several verbs share, so that they read and mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
