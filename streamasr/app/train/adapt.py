"""A network adapted to one speaker: some rounds of updates of some of its layers.

    adapted = adapt(bundle, practice, held)
    adapted.model                   # float32, in evaluation mode: the best round's weights

What listens is taught, what spells stays as it is: it knows no voices. The losses are those of
training, speech alone; the round is kept that did best on speech that was held back.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch

from streamasr.app.train.augment import Augmenter
from streamasr.app.train.config import AugmentConfig, Recipe, TrainConfig
from streamasr.app.train.examples import Corpus, EpochDataset, Example, bucket, plan_epoch
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.loop import TAIL_STEPS
from streamasr.app.train.losses import losses
from streamasr.app.train.objective import Objective
from streamasr.app.train.recurrence import run_lstm
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import PIECES_FILE, Bundle
from streamasr.edge.engines.torch import load_network

JUDGED_AT_ONCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The dials; the defaults were chosen on dev speakers (docs/LOG.md)."""

    learnt: tuple[str, ...] = ("project.", "norms.", "lstms.", "phone_")
    """Beginnings of the names of the weights that are taught; all others stay frozen."""
    rounds: int = 8
    """Times that the speech is heard at most; the rate falls to zero over them."""
    patience: int = 3
    """Rounds that are no better on held-back speech before it stops."""
    learning_rate: float = 5e-4
    warmup_updates: int = 10
    batch_s: float = 20.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it."""

    model: AcousticModel
    held: list[float] = field(default_factory=list)
    """The loss on held-back speech: before, and after each round."""

    @property
    def best(self) -> int:
        """The round whose weights were kept; 0 are those that it began with."""
        return int(np.nanargmin(self.held))


def adapt(
    bundle: Bundle,
    practice: Corpus,
    held: Corpus,
    *,
    options: Adaptation | None = None,
    on_round: Callable[[int, float], None] = lambda number, loss: None,
) -> Adapted:
    """Teach the bundle's network ``practice`` as long as that helps on ``held``."""
    options = options or Adaptation()
    teacher = _Teacher(bundle, practice, held, options)
    adapted = Adapted(teacher.model, [teacher.judge()])
    best = deepcopy(teacher.model.state_dict())
    for number in range(1, options.rounds + 1):
        teacher.teach(number - 1)
        adapted.held.append(teacher.judge())
        on_round(number, adapted.held[-1])
        if adapted.best == number:
            best = deepcopy(teacher.model.state_dict())
        elif number - adapted.best >= options.patience:
            break
    teacher.model.load_state_dict(best)
    teacher.model.run_layers_with(torch.nn.LSTM.__call__)
    teacher.model.eval()
    return adapted


class _Teacher:
    """The network, its speech, and the optimiser."""

    def __init__(self, bundle: Bundle, practice: Corpus, held: Corpus, options: Adaptation) -> None:
        torch.manual_seed(options.seed)
        self.model = load_network(bundle)
        self.model.run_layers_with(run_lstm)
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(name.startswith(options.learnt))
        self._learnt = [w for w in self.model.parameters() if w.requires_grad]
        self._options = options
        self._recipe = make_recipe(bundle, options)
        self._practice, self._held = practice, held
        self._tokeniser = Tokeniser((bundle.path / PIECES_FILE).read_bytes())
        self._augmenter = Augmenter(self._recipe.augment, [], [])
        self._objective = Objective(self.model, self._recipe, None)
        self._optimiser = torch.optim.AdamW(self._learnt, betas=(0.9, 0.98), weight_decay=0.0)
        self._updates = 0

    def teach(self, number: int) -> None:
        """One round: every utterance once, changed at random."""
        options, config = self._options, self._recipe.train
        self.model.train()
        plan = plan_epoch(self._practice, config, number)
        batches = self._batches(self._practice, plan, number, self._augmenter)
        for index in range(len(batches)):
            left = 1.0 - (number + index / len(batches)) / options.rounds
            warm = min(1.0, (self._updates + 1) / options.warmup_updates)
            for group in self._optimiser.param_groups:
                group["lr"] = options.learning_rate * warm * left
            torch.manual_seed((options.seed << 32) + self._updates)
            self._optimiser.zero_grad(set_to_none=True)
            epoch = float(number)
            total, _ = self._objective(batches[index], None, epoch=epoch, seed=self._updates)
            total.backward()
            torch.nn.utils.clip_grad_norm_(self._learnt, config.clip_norm)
            self._optimiser.step()
            self._updates += 1

    @torch.no_grad()
    def judge(self) -> float:
        """The loss on held-back speech as it is, a mean over batches."""
        self.model.eval()
        whole = [self._held.whole(index) for index in range(len(self._held))]
        plan = list(bucket(whole, JUDGED_AT_ONCE_S, np.random.default_rng(0)))
        batches = self._batches(self._held, plan, 0, None)
        total = 0.0
        for index in range(len(batches)):
            batch = batches[index]
            found = losses(self.model(batch.samples, write=False), batch, self._recipe.model)
            total += float(found.ctc + self._recipe.train.phone_weight * found.phone)
        return total / len(batches)

    def _batches(
        self, corpus: Corpus, plan: list[list[Example]], number: int, augmenter: Augmenter | None
    ) -> EpochDataset:
        return EpochDataset(
            corpus,
            plan,
            model=self._recipe.model,
            train=self._recipe.train,
            tokeniser=self._tokeniser,
            tail_steps=TAIL_STEPS,
            augmenter=augmenter,
            epoch=number,
        )


def make_recipe(bundle: Bundle, options: Adaptation) -> Recipe:
    """The training configuration of an adaptation: speech alone, and little augmentation."""
    augment = AugmentConfig(gain_db=(-10.0, 6.0), time_masks=2, band_masks=1, mask_ramp_epochs=0.0)
    train = TrainConfig(
        batch_s=options.batch_s,
        phone_epochs=0.0,
        phone_delay_ms=bundle.phone_delay_ms,
        bf16=bf16_is_fast(),
        device="cpu",
        seed=options.seed,
    )
    return Recipe(model=bundle.config, augment=augment, train=train)


def bf16_is_fast() -> bool:
    """Whether this processor multiplies bfloat16 itself."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
