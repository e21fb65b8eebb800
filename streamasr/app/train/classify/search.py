"""Looking for settings: Optuna tries some, and gives up early on those that lag behind.

Every trial is judged on what is held out of the training recordings; the test recordings take
no part. What was tried lies in ``search.jsonl``, the best recipe in ``best.toml``.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna
import tomli_w

from streamasr.app.train.classify.fit import Epoch
from streamasr.app.train.classify.recipe import WordRecipe
from streamasr.app.train.classify.run import WordRun

log = logging.getLogger(__name__)

SEARCH_FILE = "search.jsonl"
BEST_FILE = "best.toml"
UNPRUNED_TRIALS = 4
UNPRUNED_EPOCHS = 3


def search(run: WordRun, trials: int) -> WordRecipe:
    """Try ``trials`` recipes; the best, with the epochs that were asked for in the first place."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=run.recipe.train.seed),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=UNPRUNED_EPOCHS
        ),
    )
    log_file = run.out / SEARCH_FILE
    log_file.write_text("")

    def judge(trial: optuna.Trial) -> float:
        recipe = draw(trial, run.recipe)
        epochs: list[Epoch] = []

        def note(epoch: Epoch) -> None:
            epochs.append(epoch)
            trial.report(merit(epoch), epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

        outcome = "pruned"
        try:
            best = run.fit(recipe, on_epoch=note).best
            assert best is not None
            outcome = "finished"
            return merit(best)
        finally:
            row = {
                "trial": trial.number, **trial.params, "outcome": outcome, "epochs": len(epochs),
                "accuracy": round(max((e.accuracy for e in epochs), default=0.0), 5),
                "seconds": round(epochs[-1].seconds if epochs else 0.0, 1),
            }  # fmt: skip
            with log_file.open("a") as out:
                out.write(json.dumps(row) + "\n")
            log.info("trial %s", json.dumps(row))

    study.optimize(judge, n_trials=trials)
    chosen = apply(run.recipe, study.best_params)
    write_recipe(chosen, run.out / BEST_FILE)
    return chosen


def merit(epoch: Epoch) -> float:
    """Accuracy on what was held out; of equals the smaller loss is better."""
    return epoch.accuracy - 1e-3 * min(10.0, epoch.held_loss)


def draw(trial: optuna.Trial, recipe: WordRecipe) -> WordRecipe:
    """One recipe out of the ranges of [search], for as many epochs as it says."""
    ranges = recipe.search
    params = {
        "learning_rate": trial.suggest_float("learning_rate", *ranges.learning_rate, log=True),
        "weight_decay": trial.suggest_float("weight_decay", *ranges.weight_decay, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", *ranges.label_smoothing),
        "dropout": trial.suggest_float("dropout", *ranges.dropout),
        "width": trial.suggest_int("width", *ranges.width, step=8),
    }
    chosen = apply(recipe, params)
    return replace(chosen, train=replace(chosen.train, epochs=ranges.epochs))


def apply(recipe: WordRecipe, params: dict[str, Any]) -> WordRecipe:
    """The recipe with what was drawn."""
    network = {name: params[name] for name in ("dropout", "width")}
    train = {name: value for name, value in params.items() if name not in network}
    return replace(
        recipe,
        network=replace(recipe.network, **network),
        train=replace(recipe.train, **train),
    )


def write_recipe(recipe: WordRecipe, file: Path) -> None:
    """Write a recipe as TOML, every setting in it."""
    file.write_text(tomli_w.dumps(asdict(recipe)), encoding="utf-8")
