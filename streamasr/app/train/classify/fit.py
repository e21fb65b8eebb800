"""Fitting a network: epochs over windows, until what was held out gets no better."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamasr.app.train.augment import mask_frames
from streamasr.app.train.classify.networks import WordNetwork
from streamasr.app.train.classify.recipe import WordRecipe
from streamasr.app.train.classify.report import Confusion
from streamasr.app.train.classify.windows import Features

Labels = NDArray[np.int64]
Floats32 = NDArray[np.float32]
WARM_UP = 0.05
"""Share of all updates."""
AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Part:
    """Examples as features, with their classes."""

    frames: Features
    """[examples, frames, size], or of several copies [copies, examples, more frames, size]."""
    labels: Labels


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to."""

    number: int
    loss: float
    accuracy: float
    """Of what was held out."""
    held_loss: float
    seconds: float
    """Since the beginning, measuring included."""
    processor_s: float
    """The same in seconds of a processor, whatever else it did."""


@dataclass(slots=True)
class Fitted:
    """A network at its best epoch."""

    network: WordNetwork
    epochs: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None

    @property
    def last(self) -> Epoch:
        """The epoch after which it stopped."""
        return self.epochs[-1]


def fit(
    recipe: WordRecipe,
    labels: Sequence[str],
    learnt: Part,
    held: Part,
    *,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train on ``learnt`` and stop by ``held``; ``on_epoch`` may raise to give up."""
    learner = _Learner(recipe, labels, learnt)
    mean = learner.mean
    result, best_weights = Fitted(mean), mean.state_dict()
    begun, worked = time.monotonic(), time.process_time()
    for number in range(recipe.train.epochs):
        loss = learner.learn(number)
        accuracy, held_loss = _judge(mean, held)
        seconds, processor_s = time.monotonic() - begun, time.process_time() - worked
        epoch = Epoch(number, loss, accuracy, held_loss, seconds, processor_s)
        result.epochs.append(epoch)
        best = result.best
        if best is None or (epoch.accuracy, -epoch.held_loss) > (best.accuracy, -best.held_loss):
            best, best_weights = epoch, copy.deepcopy(mean.state_dict())
            result.best = best
        on_epoch(epoch)
        if number - best.number >= recipe.train.patience:
            break
    mean.load_state_dict(best_weights)
    return result


class _Learner:
    """The network that is updated, and ``mean``, the running mean of its weights."""

    def __init__(self, recipe: WordRecipe, labels: Sequence[str], learnt: Part) -> None:
        config = recipe.train
        torch.manual_seed(config.seed)
        self._recipe, self._learnt = recipe, learnt
        self._rng = np.random.default_rng(config.seed)
        self._network = network = WordNetwork(recipe.window, recipe.network, len(labels))
        network.mean.copy_(torch.from_numpy(_over_frames(learnt.frames, np.mean)))
        network.deviation.copy_(torch.from_numpy(_over_frames(learnt.frames, np.std)) + 1e-3)
        self.mean = copy.deepcopy(network)
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        updates = config.epochs * math.ceil(len(learnt.labels) / config.batch)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda n: _rate(n, updates)
        )
        self._losses = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        self._updates = 0

    def learn(self, number: int) -> float:
        """An epoch: every example once; the mean loss."""
        self._network.train()
        ramp = max(1.0, self._recipe.augment.mask_ramp_epochs)
        strength = min(1.0, (number + 1) / ramp)
        total = 0.0
        for frames, targets in batches(self._recipe, self._learnt, self._rng):
            total += self._update(frames, targets, strength) * len(targets)
        return total / len(self._learnt.labels)

    def _update(self, frames: Tensor, targets: Tensor, strength: float) -> float:
        """Take a batch [batch, frames, size], its masks at this strength; the loss."""
        network, config = self._network, self._recipe.train
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            frames = network.normalise(frames)
            lengths = torch.full((len(frames),), frames.shape[1])
            seed = config.seed * 1_000_003 + self._updates
            frames = mask_frames(frames, lengths, self._recipe.augment, strength, seed)
            loss = self._losses(network.score(frames).float(), targets)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        self._optimiser.step()
        self._schedule.step()
        self._updates += 1
        _follow(self.mean, network, min(config.average, self._updates / (self._updates + 10)))
        return float(loss.item())


def _judge(network: WordNetwork, part: Part) -> tuple[float, float]:
    """Accuracy, and the loss."""
    scores, targets = classify(network, part.frames), torch.from_numpy(part.labels)
    right = (scores.argmax(dim=1) == targets).float().mean()
    return float(right), float(nn.functional.nll_loss(scores, targets))


def batches(
    recipe: WordRecipe, part: Part, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every example once: a random copy of it at a random place, float32 [batch, frames, size]."""
    copies, count, long, _ = part.frames.shape
    frames = recipe.window.frames
    order = rng.permutation(count)
    for start in range(0, count, recipe.train.batch):
        some = order[start : start + recipe.train.batch]
        if len(some) < 2 and start:  # a norm over one example is none
            break
        chosen = rng.integers(copies, size=len(some))
        moved = rng.integers(long - frames + 1, size=len(some))
        picked = [
            part.frames[c, i, m : m + frames] for c, i, m in zip(chosen, some, moved, strict=True)
        ]
        yield (
            torch.from_numpy(np.stack(picked).astype(np.float32)),
            torch.from_numpy(part.labels[some]),
        )


def classify(network: WordNetwork, frames: Features) -> Tensor:
    """Log-probabilities [examples, classes] of features [examples, frames, size]."""
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(frames), AT_ONCE):
            some = torch.from_numpy(frames[start : start + AT_ONCE].astype(np.float32))
            found.append(network.score(network.normalise(some)).log_softmax(dim=1))
    return torch.cat(found)


def measure(network: WordNetwork, labels: Sequence[str], part: Part) -> Confusion:
    """What the network takes the examples of a part for."""
    taken = classify(network, part.frames).argmax(dim=1)
    return Confusion.count(labels, part.labels.tolist(), taken.tolist())


def _over_frames(frames: Features, figure: Callable[..., Floats32]) -> Floats32:
    """A figure of every feature over a sample of all frames, float32 [size]."""
    flat = frames.reshape(-1, frames.shape[-1])
    some = flat[:: max(1, len(flat) // 200_000)].astype(np.float32)
    return np.asarray(figure(some, axis=0), np.float32)


def _rate(update: int, updates: int) -> float:
    """Of the learning rate: up at first, then down along half a cosine."""
    ramp = max(1.0, WARM_UP * updates)
    return min((update + 1) / ramp, 0.5 + 0.5 * math.cos(math.pi * min(1.0, update / updates)))


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, kept: float) -> None:
    own = network.state_dict()
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.lerp_(own[name], 1.0 - kept)
        else:
            value.copy_(own[name])
