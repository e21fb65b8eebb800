"""A run: data, network, fit, measure; what it found lies in its folder.

recipe.json          what was asked for
labels.txt           the classes in their order
log.jsonl            a line an epoch
best.safetensors     the weights of the best epoch
results.json         accuracy, precision, recall, confusions; of the test recordings where
confusion.png        there are any, else of what was held out
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from streamasr.app.train.augment import Augmenter
from streamasr.app.train.classify.examples import WordSet, divide, gather, hold_out
from streamasr.app.train.classify.fit import Epoch, Fitted, Part, fit, measure
from streamasr.app.train.classify.recipe import WordRecipe
from streamasr.app.train.classify.report import Confusion
from streamasr.app.train.classify.windows import WindowSource
from streamasr.edge.weights import write_weights

log = logging.getLogger(__name__)

RECIPE_FILE = "word-recipe.json"
LABELS_FILE = "labels.txt"
LOG_FILE = "log.jsonl"
BEST_FILE = "best.safetensors"
HELD_OUT_FILE = "held-out.txt"
RESULTS_FILE = "results.json"
PICTURE_FILE = "confusion.png"


class WordRun:
    """Everything that trainings on the same recordings share."""

    def __init__(self, recipe: WordRecipe, data: Path, out: Path, cache: Path | None) -> None:
        self.recipe = recipe
        self.out = out
        self._set: WordSet = gather(
            recipe.data, data, silence=recipe.augment.silence_probability, seed=recipe.train.seed
        )
        augmenter = Augmenter.load(recipe.augment, data)
        self._source = WindowSource(recipe, augmenter, cache or out / "cache")
        self._labels = np.array([example.label for example in self._set.train], np.int64)
        self._kept, self._held = hold_out(
            self._set.train, recipe.data.hold_out,
            by_speaker=recipe.data.by_speaker, seed=recipe.train.seed,
        )  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._set.labels

    def train(self) -> dict[str, Any]:
        """Fit on the training recordings, measure, and write everything down."""
        rows: list[dict[str, Any]] = []

        def note(epoch: Epoch) -> None:
            rows.append(_row(epoch))
            _tell(epoch)
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (self.out / LOG_FILE).write_text(text)

        fitted = self.fit(self.recipe, on_epoch=note)
        part = self._held_part(self._held)
        measured = {"held_out": measure(fitted.network, self.labels, part)}
        if self._set.test:
            labels = np.array([example.label for example in self._set.test], np.int64)
            part = Part(self._source.plain(self._set.test), labels)
            measured["test"] = measure(fitted.network, self.labels, part)
        weights = {name: value.contiguous() for name, value in fitted.network.state_dict().items()}
        write_weights(weights, self.out / BEST_FILE)
        (self.out / RECIPE_FILE).write_text(json.dumps(asdict(self.recipe), indent=1))
        (self.out / LABELS_FILE).write_text("".join(f"{label}\n" for label in self.labels))
        held = (self._set.train[index].utterance for index in self._held)
        names = sorted({utterance.id for utterance in held if utterance is not None})
        (self.out / HELD_OUT_FILE).write_text("".join(f"{name}\n" for name in names))
        return self._conclude(measured, self._facts(fitted))

    def fit(self, recipe: WordRecipe, *, on_epoch: Callable[[Epoch], None]) -> Fitted:
        """Fit some recipe on these recordings; it may differ in all but data and windows."""
        learnt = Part(self._source.augmented(self._set.train)[:, self._kept],
                      self._labels[self._kept])  # fmt: skip
        return fit(recipe, self.labels, learnt, self._held_part(self._held), on_epoch=on_epoch)

    def fold(self, folds: int) -> dict[str, Any]:
        """Train ``folds`` times, each time measured on another part of the training recordings."""
        examples, config = self._set.train, self.recipe.data
        seed = self.recipe.train.seed
        parts = divide(examples, folds, by_speaker=config.by_speaker, seed=seed)
        augmented, plain = self._source.augmented(examples), self._source.plain(examples)
        total, accuracies, seconds = Confusion.count(self.labels, [], []), [], 0.0
        for number, part in enumerate(parts):
            rest = sorted(set(range(len(examples))) - set(part))
            inner = hold_out(
                [examples[i] for i in rest], config.hold_out, by_speaker=config.by_speaker,
                seed=seed,
            )  # fmt: skip
            kept, held = ([rest[i] for i in some] for some in inner)
            fitted = fit(
                self.recipe,
                self.labels,
                Part(augmented[:, kept], self._labels[kept]),
                Part(plain[held], self._labels[held]),
                on_epoch=_tell,
            )
            found = measure(fitted.network, self.labels, Part(plain[part], self._labels[part]))
            log.info("fold %d of %d: %.2f %% right", number + 1, folds, 100 * found.accuracy)
            total, seconds = total + found, seconds + fitted.last.seconds
            accuracies.append(found.accuracy)
        facts = {
            "network": self.recipe.network.kind,
            "seconds": round(seconds, 1),
            "fold_accuracies": [round(value, 5) for value in accuracies],
            "fold_deviation": round(float(np.std(accuracies)), 5),
        }
        return self._conclude({"folds": total}, facts)

    def _held_part(self, held: Sequence[int]) -> Part:
        return Part(self._source.plain(self._set.train)[held], self._labels[held])

    def _facts(self, fitted: Fitted) -> dict[str, Any]:
        assert fitted.best is not None
        return {
            "network": self.recipe.network.kind,
            "parameters": sum(p.numel() for p in fitted.network.parameters()),
            "epochs": len(fitted.epochs),
            "best_epoch": fitted.best.number + 1,
            "seconds": round(fitted.last.seconds, 1),
            "processor_s": round(fitted.last.processor_s, 1),
            "recordings": len(self._kept),
        }

    def _conclude(self, measured: dict[str, Confusion], facts: dict[str, Any]) -> dict[str, Any]:
        *_, last = measured.values()
        results = facts | {name: found.figures() for name, found in measured.items()}
        (self.out / RESULTS_FILE).write_text(json.dumps(results, indent=1) + "\n")
        title = f"{facts['network']}: {last.accuracy:.2%} of {last.counts.sum()} right"
        last.draw(self.out / PICTURE_FILE, title)
        return results


def _tell(epoch: Epoch) -> None:
    log.info(
        "epoch %d: loss %.3f, held out %.2f %% right, %.0f s",
        epoch.number + 1, epoch.loss, 100 * epoch.accuracy, epoch.seconds,
    )  # fmt: skip


def _row(epoch: Epoch) -> dict[str, Any]:
    return {name: round(value, 5) for name, value in dataclasses.asdict(epoch).items()}
