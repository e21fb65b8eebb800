"""The training run: text in, the weights of the best epoch and a log out.

Run.open(load_recipe(file), data=data, out=out).train()
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from streamasr.app.f1 import f1
from streamasr.app.train.punctuation.export import load, save, write
from streamasr.app.train.punctuation.network import PunctuationNetwork, losses
from streamasr.app.train.punctuation.passages import Coded, passages
from streamasr.app.train.punctuation.recipe import Recipe
from streamasr.app.train.punctuation.text import Part, read_words
from streamasr.core.punctuation.scores import LOOKS
from streamasr.core.punctuation.tokens import Case, Mark
from streamasr.edge.punctuation import FILE
from streamasr.errors import ConfigError

log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
LOG = "training.jsonl"


@dataclass(frozen=True, slots=True)
class Texts:
    """What a run reads."""

    train: list[Coded]
    loose: list[Coded]
    dev: list[Coded]

    @classmethod
    def read(cls, recipe: Recipe, data: Path) -> Texts:
        """Raises ConfigError where a text is not there, or none is left to train on."""
        dev = [Part.parse(text) for text in recipe.data.dev]
        held_out = [*dev, *(Part.parse(text) for text in recipe.data.test)]

        def read(texts: tuple[str, ...]) -> list[Coded]:
            parts = map(Part.parse, texts)
            return [Coded.of(read_words(part.lines(data, without=held_out))) for part in parts]

        found = cls(
            [text for text in read(recipe.data.train) if len(text.ids)],
            [text for text in read(recipe.data.loose) if len(text.ids)],
            [Coded.of(read_words(part.lines(data))) for part in dev],
        )
        if not found.train and not found.loose:
            raise ConfigError("no text to train on", remedy="name some under [data] train")
        return found


class Run:
    """A training run in a folder."""

    def __init__(self, recipe: Recipe, texts: Texts, out: Path) -> None:
        self.recipe, self.texts, self.out = recipe, texts, out
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.train.seed)
        self.model = PunctuationNetwork(recipe.model)
        self.best = -math.inf

    @classmethod
    def open(cls, recipe: Recipe, *, data: Path, out: Path) -> Run:
        return cls(recipe, Texts.read(recipe, data), out)

    def train(self) -> None:
        """Train all epochs; keeps the weights of the best in ``out``."""
        recipe = self.recipe.train
        words = sum(len(text.ids) for text in (*self.texts.train, *self.texts.loose))
        log.info("%d words to train on", words)
        optimiser = torch.optim.AdamW(self.model.parameters(), recipe.learning_rate)
        (self.out / LOG).write_text("")
        for epoch in range(recipe.epochs):
            started = time.monotonic()
            loss = self._epoch(epoch, optimiser)
            entry = {
                "epoch": epoch,
                "seconds": round(time.monotonic() - started, 1),
                "train_loss": round(loss, 4),
                **self.measure(),
            }
            log.info("%s", entry)
            with (self.out / LOG).open("a") as lines:
                lines.write(json.dumps(entry) + "\n")
            if entry["dev_f1"] > self.best or epoch == 0:
                self.best = entry["dev_f1"]
                save(self.model, self.out / WEIGHTS)
        write(load(self.out / WEIGHTS), self.out / FILE)

    def _epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> float:
        recipe = self.recipe.train
        rng = np.random.default_rng((recipe.seed, epoch))
        batches = list(
            passages(
                self.texts.train,
                self.texts.loose,
                batch=recipe.batch,
                length=recipe.length,
                rng=rng,
                noise=self.recipe.noise,
            )
        )
        if not batches:
            raise ConfigError(
                "the text is shorter than one batch", remedy="more text, or a smaller batch"
            )
        self.model.train()
        total = 0.0
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / recipe.epochs
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * _rate(done)
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                scores, _ = self.model(torch.from_numpy(batch.ids))
            loss = losses(scores, torch.from_numpy(batch.marks), torch.from_numpy(batch.cases))
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
            optimiser.step()
            total += loss.item()
        return total / len(batches)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """F1 on the dev text: heard right, without pauses, each decision waiting as long as
        it may."""
        self.model.eval()
        look = LOOKS[-1]
        said: dict[str, list[np.ndarray]] = {"marks": [], "cases": []}
        wanted: dict[str, list[np.ndarray]] = {"marks": [], "cases": []}
        for text in self.texts.dev:
            scores, _ = self.model(torch.from_numpy(text.ids.astype(np.int64))[:, None])
            for name, part, delay in (
                ("marks", look.marks, look.mark_delay),
                ("cases", look.cases, look.case_delay),
            ):
                said[name].append(scores[delay:, 0, part].argmax(-1).numpy())
                wanted[name].append(getattr(text, name)[: len(text.ids) - delay])
        found = {
            f"dev_{label.name.lower()}": f1(
                np.concatenate(said[name]), np.concatenate(wanted[name]), label
            ).f1
            for name, labels in (("marks", list(Mark)[1:]), ("cases", list(Case)[1:]))
            for label in labels
            if said[name]
        }
        marks = [found[f"dev_{mark.name.lower()}"] for mark in list(Mark)[1:] if found]
        overall = sum(marks) / len(marks) if marks else 0.0
        return {name: round(value, 4) for name, value in (found | {"dev_f1": overall}).items()}


def _rate(done: float) -> float:
    """The learning rate's factor when a share of the run is done: up, then a cosine down."""
    warm = 0.03
    if done < warm:
        return (done + 1e-3) / warm
    return 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm))) + 1e-3
