"""``streamasr train``: a model from a recipe."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from streamasr.app.logs import set_up_logging
from streamasr.app.options import DataOption, RecipeArgument
from streamasr.errors import MissingExtra, UsageError


class Task(StrEnum):
    """What a model is to do."""

    RECOGNISE = "recognise"
    CLASSIFY = "classify"


OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The run: checkpoints, curves, log.")
]
TaskOption = Annotated[
    Task, typer.Option("--task", help="Write down speech, or tell single words apart.")
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="KIND", help="conv, conv-lstm, lstm, gru or residual. [classify]"
    ),
]
FoldsOption = Annotated[
    int | None,
    typer.Option("--folds", min=2, help="Measure by k-fold cross-validation. [classify]"),
]
TrialsOption = Annotated[
    int | None,
    typer.Option("--trials", min=1, help="Look for better settings first. [classify]"),
]
CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Keep features here for other runs. [classify]"),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Of the processor. [classify]")
]


def train(
    recipe: RecipeArgument,
    data: DataOption,
    out: OutOption,
    task: TaskOption = Task.RECOGNISE,
    network: NetworkOption = None,
    folds: FoldsOption = None,
    trials: TrialsOption = None,
    cache: CacheOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train a model.

    Needs the extra [train]. A run that was interrupted goes on from its last checkpoint
    when it is started again with the same --out; one of --task classify, which takes minutes,
    begins anew. docs/TRAINING.md tells of recipes.

    \b
    Examples:
      streamasr train recipes/en-small.toml --data data --out runs/en-small
      torchrun --nproc-per-node 4 -m streamasr train RECIPE --data DIR --out RUN
      streamasr train recipes/words/fsdd.toml --task classify --network gru --data data --out run
    """
    set_up_logging(logging.INFO, force=False)
    if task is Task.CLASSIFY:
        train_words(
            recipe, data, out, network=network, folds=folds, trials=trials, cache=cache,
            threads=threads,
        )  # fmt: skip
        return
    given = {"--network": network, "--folds": folds, "--trials": trials, "--cache": cache}
    for name, value in {**given, "--threads": threads}.items():
        if value is not None:
            raise UsageError(f"{name} is for --task classify")
    try:
        from streamasr.app.train.config import load_recipe
        from streamasr.app.train.loop import Run
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    run = Run.open(load_recipe(recipe), data=data, out=out)
    try:
        run.train()
    finally:
        run.group.leave()


def train_words(
    recipe: Path,
    data: Path,
    out: Path,
    *,
    network: str | None = None,
    folds: int | None = None,
    trials: int | None = None,
    cache: Path | None = None,
    threads: int | None = None,
) -> None:
    """Train a word classifier, or measure it by folds, and print what it gets right."""
    if folds is not None and trials is not None:
        raise UsageError("--folds and --trials do not go together", remedy="search, then fold")
    try:
        import torch

        from streamasr.app.train.classify.recipe import load_recipe, with_network
        from streamasr.app.train.classify.run import WordRun
        from streamasr.app.train.classify.search import search
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    if threads is not None:
        torch.set_num_threads(threads)
    run = WordRun(with_network(load_recipe(recipe), network), data, out, cache)
    if folds is not None:
        show(run.fold(folds), "folds")
        return
    if trials is not None:
        run.recipe = search(run, trials)
    results = run.train()
    show(results, "test" if "test" in results else "held_out")
    print(f"\n{out} holds the run; `streamasr export {out} models/NAME` makes a model of it")


def show(results: dict[str, Any], part: str) -> None:
    """Print precision and recall of every word, and accuracy."""
    from streamasr.app.wordeval import print_classes

    found = results[part]
    print_classes(found)
    where = {"held_out": "held out of training", "test": "test", "folds": "all folds"}[part]
    print(
        f"{results['network']}: {found['accuracy']:.2%} right ({where}), "
        f"{results['seconds']:.0f} s of training"
    )
    if "fold_deviation" in results:
        print(f"folds: {', '.join(f'{value:.2%}' for value in results['fold_accuracies'])}")
