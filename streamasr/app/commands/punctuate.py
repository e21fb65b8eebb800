"""``streamasr punctuate``: marks and capitals for words that have none; train what sets them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from streamasr.app.logs import set_up_logging
from streamasr.app.options import DataOption, RecipeArgument
from streamasr.errors import MissingExtra

PunctuationOption = Annotated[
    str | None,
    typer.Option("--model", help="Name or folder of the model; en-punctuation without it."),
]


def text(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="An utterance a line; standard input without it."),
    ] = None,
    model: PunctuationOption = None,
) -> None:
    """Set marks and capitals in what was recognised.

    Each line is an utterance, and may end in the middle of a sentence; an empty line begins
    a new text.

    \b
    Examples:
      streamasr punctuate text recognised.txt
      streamasr transcribe talk.flac | streamasr punctuate text
    """
    from streamasr.app.punctuation.lines import punctuated
    from streamasr.core.punctuation.punctuator import Punctuator
    from streamasr.edge.punctuation import OnnxNetwork, find

    punctuator = Punctuator(OnnxNetwork(find(model)))
    if file is None:
        for line in punctuated(sys.stdin, punctuator):
            print(line, flush=True)
        return
    with file.open(encoding="utf-8") as lines:
        for line in punctuated(lines, punctuator):
            print(line)


def measure(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="Text with marks and capitals, a sentence a line; FILE:FIRST-LAST for some lines.",
        ),
    ],
    model: PunctuationOption = None,
) -> None:
    """Measure a model on text with marks: F1 of each, word for word, without pauses.

    \b
    Example:
      streamasr punctuate eval book.txt.gz:1-2000
    """
    from rich.console import Console

    from streamasr.app.punctuation.measure import score_table
    from streamasr.edge.punctuation import OnnxNetwork, find

    Console().print(score_table(OnnxNetwork(find(model)), texts))


def train(
    recipe: RecipeArgument,
    data: DataOption,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The model's folder: network, log, weights."),
    ],
) -> None:
    """Train a model of marks and capitals on text that has them.

    Needs the extra [train]. What comes out is a model folder: name it with --model, or put it
    into ~/.local/share/streamasr/models as en-punctuation.

    \b
    Example:
      streamasr punctuate train recipes/punctuation/en.toml --data data --out runs/en-punctuation
    """
    try:
        from streamasr.app.train.punctuation.loop import Run
        from streamasr.app.train.punctuation.recipe import load_recipe
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    set_up_logging(logging.INFO, force=False)
    Run.open(load_recipe(recipe), data=data, out=out).train()
    print(f"{out}: the model of the best epoch; `streamasr punctuate text --model {out}` tries it")


punctuate = {"text": text, "eval": measure, "train": train}
"""The verbs below ``streamasr punctuate``."""
