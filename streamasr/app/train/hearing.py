"""What the listening half of a network heard of real speech, to teach the speller with.

Gathered once an epoch by the network as it then is, from augmented speech, half of it masked:
about as many errors as in speech that it was not trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamasr.app.train.examples import Batch
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.phonebank import PhoneBank
from streamasr.core.network import AcousticModel, FrameHook
from streamasr.core.phones import SILENCE


@dataclass(frozen=True, slots=True)
class SpellingBatch:
    """Sentences as the speller hears them, and how they are spelt."""

    phones: Tensor
    """float32 [batch, steps · outputs_per_step, phones], probabilities."""
    steps: Tensor
    """int64 [batch]"""
    targets: Tensor
    """int64, all sentences' units one after another."""
    target_lengths: Tensor
    """int64 [batch]"""

    @classmethod
    def collate(
        cls,
        heard: Sequence[NDArray[np.float16]],
        texts: Sequence[str],
        tokeniser: Tokeniser,
        outputs_per_step: int,
        *,
        tail_steps: int = 0,
    ) -> Self:
        """Posteriors [emissions, phones] of each sentence, and silence after them."""
        steps = [-(-len(part) // outputs_per_step) + tail_steps for part in heard]
        rows = np.zeros((len(heard), max(steps) * outputs_per_step, heard[0].shape[1]), np.float32)
        rows[:, :, SILENCE] = 1.0
        for row, part in zip(rows, heard, strict=True):
            row[: len(part)] = part
        targets = [tokeniser.encode(text) for text in texts]
        return cls(
            phones=torch.from_numpy(rows),
            steps=torch.tensor(steps),
            targets=torch.tensor([unit for ids in targets for unit in ids]),
            target_lengths=torch.tensor([len(ids) for ids in targets]),
        )

    def to(self, device: torch.device) -> SpellingBatch:
        return SpellingBatch(
            self.phones.to(device),
            self.steps.to(device),
            self.targets.to(device),
            self.target_lengths.to(device),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """Posteriors of utterances, one after another, shortest first."""

    posteriors: NDArray[np.float16]
    """[emissions, phones]"""
    targets: NDArray[np.int64]
    """Aligned phones [emissions], negative where they are not known."""
    ends: NDArray[np.int64]
    """Emissions up to the end of each utterance."""
    texts: NDArray[np.str_]

    @classmethod
    def gather(
        cls,
        model: AcousticModel,
        batches: Iterable[tuple[Batch, FrameHook | None]],
        *,
        device: torch.device,
        bf16: bool,
    ) -> Self:
        """Listen to batches, each with the masks that lie over it."""
        found = sorted(_listen(model, batches, device, bf16), key=lambda part: len(part[0]))
        return cls(
            np.concatenate([posteriors for posteriors, _, _ in found]),
            np.concatenate([targets for _, targets, _ in found]),
            np.cumsum([len(targets) for _, targets, _ in found]),
            np.array([text for _, _, text in found]),
        )

    @classmethod
    def read(cls, file: Path) -> Self:
        with np.load(file) as saved:
            return cls(**saved)

    def write(self, file: Path) -> None:
        partial = file.with_suffix(".partial.npz")
        np.savez(
            partial, posteriors=self.posteriors, targets=self.targets, ends=self.ends,
            texts=self.texts,
        )  # fmt: skip
        partial.rename(file)

    def bank(self) -> PhoneBank:
        cuts = self.ends[:-1]
        return PhoneBank.gather(
            zip(np.split(self.posteriors, cuts), np.split(self.targets, cuts), strict=True)
        )

    def batch(
        self,
        tokeniser: Tokeniser,
        *,
        emissions: int,
        outputs_per_step: int,
        rng: np.random.Generator,
    ) -> SpellingBatch:
        """Utterances of like length, about so many ``emissions`` in all."""
        first = int(rng.integers(len(self.ends)))
        start = self.ends[first - 1] if first else 0
        last = int(np.searchsorted(self.ends, start + emissions)) + 1
        ends = self.ends[first:last]
        parts = np.split(self.posteriors[start : ends[-1]], ends[:-1] - start)
        texts = self.texts[first:last].tolist()
        return SpellingBatch.collate(parts, texts, tokeniser, outputs_per_step)


@torch.no_grad()
def _listen(
    model: AcousticModel,
    batches: Iterable[tuple[Batch, FrameHook | None]],
    device: torch.device,
    bf16: bool,
) -> Iterator[tuple[NDArray[np.float16], NDArray[np.int64], str]]:
    """Posteriors, targets and text of each utterance."""
    was_training = model.training
    model.eval()
    for batch, hook in batches:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            phones = model.phones(batch.samples.to(device), hook)
        posteriors = phones.exp().half().cpu().numpy()
        targets = batch.phones.numpy()
        for row, (steps, text) in enumerate(zip(batch.steps.tolist(), batch.texts, strict=True)):
            count = steps * model.config.outputs_per_step
            yield posteriors[row, :count], targets[row, :count], text
    model.train(was_training)
