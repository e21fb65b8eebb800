"""``streamasr train``: a model from a recipe."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from streamasr.app.logs import set_up_logging
from streamasr.errors import MissingExtra


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML file; see recipes/.")],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="DIR", help="The folder that the recipe's names are in."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The run: checkpoints, curves, log.")
    ],
) -> None:
    """Train a model.

    Needs the extra [train]. A run that was interrupted goes on from its last checkpoint
    when it is started again with the same --out.

    \b
    Example:
      streamasr train recipes/en-small.toml --data data --out runs/en-small
      torchrun --nproc-per-node 4 -m streamasr train RECIPE --data DIR --out RUN
    """
    try:
        from streamasr.app.train.config import load_recipe
        from streamasr.app.train.loop import Run
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    set_up_logging(logging.INFO, force=False)
    run = Run.open(load_recipe(recipe), data=data, out=out)
    try:
        run.train()
    finally:
        run.group.leave()
