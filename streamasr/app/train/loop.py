"""The training run: build or resume, epochs of batches, dev error, checkpoints.

run = Run.open(load_recipe(path), data=Path("shared/data"), out=Path("runs/en-small"))
run.train()
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import nn
from torch.utils.data import DataLoader

from streamasr.app.alignment import read_alignments
from streamasr.app.train import checkpoint
from streamasr.app.train.augment import Augmenter
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.checkpoint import Progress
from streamasr.app.train.config import Recipe
from streamasr.app.train.corpora import gather
from streamasr.app.train.curves import Curves
from streamasr.app.train.devset import dev_figures
from streamasr.app.train.examples import (
    Batch,
    Corpus,
    EpochDataset,
    Example,
    bucket,
    plan_epoch,
)
from streamasr.app.train.hearing import Hearing, SpellingBatch
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.losses import Losses
from streamasr.app.train.mmi import PhoneModel
from streamasr.app.train.objective import Objective, masks
from streamasr.app.train.parallel import Group
from streamasr.app.train.phonebank import PhoneBank
from streamasr.app.train.recurrence import run_lstm
from streamasr.app.train.setup import find_device, load_start, open_tokeniser
from streamasr.app.train.statistics import measure_features
from streamasr.app.train.textual import TextSource
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.network import AcousticModel, FrameHook
from streamasr.core.phones import PHONES
from streamasr.errors import ConfigError

log = logging.getLogger(__name__)

RECIPE_FILE = "recipe.json"
TAIL_STEPS = 3
LOG_EVERY_S = 60.0
RUNNING_MEAN = 0.98


@dataclass(slots=True)
class Run:
    """One training run and all it holds."""

    recipe: Recipe
    out: Path
    train_set: Corpus
    dev_set: Corpus
    tokeniser: Tokeniser
    augmenter: Augmenter
    text: TextSource | None
    phone_model: PhoneModel | None
    model: AcousticModel
    optimiser: torch.optim.Optimizer
    progress: Progress
    device: torch.device
    group: Group

    @classmethod
    def open(cls, recipe: Recipe, *, data: Path, out: Path) -> Run:
        """Read the data, learn units, build the model, and resume where a run stopped."""
        group = Group.join(find_device(recipe.train.device))
        with group.lead_first():
            return cls._open(recipe, data, out, group)

    @classmethod
    def _open(cls, recipe: Recipe, data: Path, out: Path, group: Group) -> Run:
        out.mkdir(parents=True, exist_ok=True)
        train, dev = gather(recipe.data, data)
        corpora = sorted({u.corpus for u in [*train, *dev]})
        aligned = (
            read_alignments(data / recipe.data.alignments, corpora)
            if recipe.data.alignments
            else {}
        )
        audio = out / "audio"
        train_set = Corpus(train, AudioCache(audio, train), aligned)
        dev_set = Corpus(dev, AudioCache(audio, dev), aligned)
        known = sum(a is not None for a in train_set.alignments)
        log.info("%d training utterances (%d aligned), %d dev", len(train), known, len(dev))
        tokeniser = open_tokeniser(recipe, data, out, train_set)
        model_config = replace(
            recipe.model, units=len(tokeniser.units), phones=len(PHONES) if aligned else 0
        )
        recipe = replace(recipe, model=model_config)
        _refuse_untaught(recipe, aligned=bool(aligned))
        if group.leads:
            (out / RECIPE_FILE).write_text(json.dumps(asdict(recipe), indent=1))
        torch.manual_seed(recipe.train.seed)
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)
        device = torch.device(find_device(recipe.train.device))
        model = AcousticModel(model_config)
        if recipe.train.start:
            load_start(model, Path(recipe.train.start))
        else:
            mean, deviation = measure_features(train_set, model_config.mels, recipe.train.seed)
            model.log_mel.mean.copy_(mean)
            model.log_mel.deviation.copy_(deviation)
        model.to(device)
        if device.type == "cpu":
            model.run_layers_with(run_lstm)
        if recipe.train.only_speller:
            model.requires_grad_(False)
            for part in model.spelling_parts():
                part.requires_grad_(True)
        optimiser = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            lr=recipe.train.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=recipe.train.weight_decay,
        )
        progress = checkpoint.resume(out, model, optimiser) or Progress()
        augmenter = Augmenter.load(recipe.augment, data)
        text = TextSource.load(recipe.text, data, dev_set.texts) if recipe.text.files else None
        phone_model = None
        if recipe.train.mmi_weight and aligned:
            frames = (a.phones for a in train_set.alignments if a is not None)
            per_emission = model_config.frames_per_step // model_config.outputs_per_step
            phone_model = PhoneModel.estimate(frames, per_emission).to(device)
        return cls(
            recipe, out, train_set, dev_set, tokeniser, augmenter, text, phone_model, model,
            optimiser, progress, device, group,
        )  # fmt: skip

    def train(self) -> Progress:
        """Train to the end of the schedule, or until the dev error stops falling."""
        config, curves = self.recipe.train, Curves(self.out) if self.group.leads else None
        objective = Objective(self.model, self.recipe, self.phone_model)
        wrapped = self.group.wrap(objective)
        while self.progress.epoch < config.epochs:
            row = self._train_epoch(wrapped)
            if curves is not None:
                row |= self._dev_figures()
                curves.add(row)
            (dev_wer,) = self.group.agree([row.get("dev_wer", 0.0)], self.device)
            self._note_epoch(row | {"dev_wer": dev_wer})
            stale = self.progress.epoch - 1 - self.progress.best_epoch
            if stale >= config.patience:
                log.info("no better dev result for %d epochs: stopping", stale)
                break
        return self.progress

    def _note_epoch(self, row: dict[str, float]) -> None:
        progress, finished = self.progress, self.progress.epoch
        if row["dev_wer"] < progress.best_wer:
            progress.best_wer, progress.best_epoch = row["dev_wer"], finished
        progress.epoch, progress.batch = finished + 1, 0
        if self.group.leads:
            log.info(" ".join(f"{k} {v:.4g}" for k, v in row.items()))
            keep = self.recipe.train.average + 2
            checkpoint.save_epoch(self.out, self.model, finished, keep=keep)
            checkpoint.save(self.out, self.model, self.optimiser, progress)

    def _train_epoch(self, objective: nn.Module) -> dict[str, float]:
        config, progress = self.recipe.train, self.progress
        plan = plan_epoch(self.train_set, config, progress.epoch)
        numbers = self.group.numbers(len(plan))
        hearing = self._hear(plan, numbers)
        bank = hearing.bank() if hearing and self.text else None
        self.model.train()
        started = saved = told = time.monotonic()
        mean: Losses | None = None
        with _bar(hide=not self.group.leads) as bar:
            task = bar.add_task(f"epoch {progress.epoch}", total=len(numbers))
            for batch in self._batches(plan, numbers[progress.batch :], hearing):
                fraction = progress.epoch + progress.batch / len(numbers)
                now_losses = self._update(objective, batch, fraction, bank)
                mean = now_losses if mean is None else _blend(mean, now_losses)
                progress.batch += 1
                progress.update += 1
                bar.update(task, completed=progress.batch)
                now = time.monotonic()
                if now - saved > config.checkpoint_minutes * 60 and self.group.leads:
                    checkpoint.save(self.out, self.model, self.optimiser, progress)
                    saved = now
                if now - told > LOG_EVERY_S and self.group.leads:
                    self._tell(fraction, mean)
                    told = now
        seconds = time.monotonic() - started
        progress.seconds += seconds
        assert mean is not None, "an epoch has at least one batch"
        return {
            "epoch": progress.epoch,
            "seconds": round(seconds, 1),
            "lr": self.optimiser.param_groups[0]["lr"],
            "train_ctc": float(mean.ctc),
            "train_text": float(mean.text),
            "train_written": float(mean.written),
            "train_mmi": float(mean.sequence),
            "train_phone": float(mean.phone),
            "train_phone_accuracy": float(mean.phone_accuracy),
        }

    def _batches(
        self, plan: list[list[Example]], numbers: Sequence[int], hearing: Hearing | None
    ) -> Iterator[Batch | SpellingBatch]:
        """Speech; or what was heard of it, where the speller alone is taught."""
        if not self.recipe.train.only_speller:
            dataset = self._dataset(self.train_set, plan, self.augmenter, numbers)
            workers = self.recipe.train.workers
            yield from DataLoader(dataset, batch_size=None, num_workers=workers)
            return
        assert hearing is not None, "the speller learns from what was heard"
        for number in numbers:
            yield hearing.batch(
                self.tokeniser,
                emissions=self._emissions(self.recipe.train.batch_s),
                outputs_per_step=self.recipe.model.outputs_per_step,
                rng=np.random.default_rng((self.recipe.train.seed, self.progress.epoch, number)),
            )

    def _emissions(self, seconds: float) -> int:
        model = self.recipe.model
        return round(seconds * SAMPLE_RATE / model.step_samples * model.outputs_per_step)

    def _tell(self, epoch: float, mean: Losses) -> None:
        named = zip(
            ("ctc", "text", "written", "mmi", "phone"),
            (mean.ctc, mean.text, mean.written, mean.sequence, mean.phone),
            strict=True,
        )
        log.info(
            "epoch %.2f %s (%.1f %% right) lr %.2g",
            epoch,
            " ".join(f"{name} {float(loss):.3f}" for name, loss in named),
            100 * mean.phone_accuracy,
            self.optimiser.param_groups[0]["lr"],
        )

    def _dataset(
        self,
        corpus: Corpus,
        plan: list[list[Example]],
        augmenter: Augmenter | None,
        numbers: Sequence[int] | None = None,
    ) -> EpochDataset:
        return EpochDataset(
            corpus,
            plan,
            model=self.recipe.model,
            train=self.recipe.train,
            tokeniser=self.tokeniser,
            tail_steps=TAIL_STEPS,
            augmenter=augmenter,
            epoch=self.progress.epoch,
            numbers=numbers,
        )

    def _update(
        self,
        objective: nn.Module,
        batch: Batch | SpellingBatch,
        epoch: float,
        bank: PhoneBank | None,
    ) -> Losses:
        """One optimiser step; returns its losses."""
        config, update = self.recipe.train, self.progress.update
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * _schedule(self.recipe, epoch, update)
        # all that is random comes from here, so a resumed run draws what it would have drawn
        seed = update * self.group.size + self.group.rank
        torch.manual_seed((config.seed << 32) + seed)
        batch = batch.to(self.device)
        text = self._text(int(batch.steps.sum()), bank, seed)
        self.optimiser.zero_grad(set_to_none=True)
        total, found = objective(batch, text, epoch=epoch, seed=seed)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimiser.step()
        return Losses(*found)

    def _text(self, steps: int, bank: PhoneBank | None, seed: int) -> SpellingBatch | None:
        """Text for an update beside so many steps of speech."""
        if bank is None or self.text is None:
            return None
        outputs = self.recipe.model.outputs_per_step
        return self.text.batch(
            bank,
            self.tokeniser,
            emissions=round(self.recipe.text.share * outputs * steps),
            outputs_per_step=outputs,
            tail_steps=TAIL_STEPS,
            rng=np.random.default_rng((seed, 2)),
        ).to(self.device)

    def _hear(self, plan: list[list[Example]], numbers: range) -> Hearing | None:
        """What is heard of this epoch's first batches; kept for an exact resume."""
        epoch, config = self.progress.epoch, self.recipe.train
        if not config.only_speller and (self.text is None or epoch < config.phone_epochs):
            return None
        file = self.out / f"heard-{epoch:03d}-{self.group.rank}.npz"
        if file.is_file():
            return Hearing.read(file)
        few = numbers[: self.recipe.text.bank_batches]
        dataset = self._dataset(self.train_set, plan, self.augmenter, few)

        def masked(index: int) -> tuple[Batch, FrameHook | None]:
            batch = dataset[index]
            hook = masks(self.recipe, batch, epoch, index) if index % 2 else None
            return batch, hook

        hearing = Hearing.gather(
            self.model, map(masked, range(len(dataset))), device=self.device, bf16=config.bf16
        )
        for old in self.out.glob(f"heard-*-{self.group.rank}.npz"):
            old.unlink()
        hearing.write(file)
        return hearing

    def _dev_figures(self) -> dict[str, float]:
        examples = [self.dev_set.whole(i) for i in range(len(self.dev_set))]
        plan = list(bucket(examples, self.recipe.train.batch_s, np.random.default_rng(0)))
        dataset = self._dataset(self.dev_set, plan, None)
        return dev_figures(self.model, dataset, self.tokeniser, self.device)


def _refuse_untaught(recipe: Recipe, *, aligned: bool) -> None:
    """Raise ConfigError for a part of the network that nothing would teach, or none to teach."""
    model, by_text = recipe.model, bool(recipe.text.files or recipe.train.only_speller)
    if by_text and not model.speller_layers:
        raise ConfigError("[text] and train.only_speller need model.speller_layers")
    if model.writer_width and not by_text:
        raise ConfigError("model.writer_width learns from [text], or with train.only_speller")
    if model.speller_layers and not aligned:
        raise ConfigError(
            "model.speller_layers spell from phones, and no alignments were found",
            remedy="set data.alignments; `streamasr align` makes them",
        )


def _schedule(recipe: Recipe, epoch: float, update: int) -> float:
    """Warm up, hold, then fall linearly to zero over the last ``decay_epochs``."""
    config = recipe.train
    warm = min(1.0, (update + 1) / max(1, config.warmup_updates))
    return warm * min(1.0, max(0.0, (config.epochs - epoch) / max(config.decay_epochs, 1e-6)))


def _blend(mean: Losses, new: Losses) -> Losses:
    return Losses(
        *(RUNNING_MEAN * m + (1 - RUNNING_MEAN) * n for m, n in zip(mean, new, strict=True))
    )


def _bar(*, hide: bool) -> Bar:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    quiet = hide or not os.isatty(2)
    return Bar(*columns, TimeRemainingColumn(), disable=quiet, transient=True)
