"""What an update makes smaller: the weighted sum of all losses of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamasr.app.train.augment import mask_frames
from streamasr.app.train.config import Recipe
from streamasr.app.train.examples import Batch
from streamasr.app.train.hearing import SpellingBatch
from streamasr.app.train.losses import Losses, losses, nothing_found, unit_loss
from streamasr.app.train.mmi import PhoneModel
from streamasr.app.train.paths import best_paths
from streamasr.core.network import AcousticModel, FrameHook
from streamasr.core.units import BLANK


class Objective(nn.Module):
    """The network with its losses around it, so that one forward gives what to minimise."""

    def __init__(
        self, model: AcousticModel, recipe: Recipe, phone_model: PhoneModel | None
    ) -> None:
        super().__init__()
        self.model = model
        self._recipe = recipe
        self._phone_model = phone_model

    def forward(
        self, batch: Batch | SpellingBatch, text: SpellingBatch | None, *, epoch: float, seed: int
    ) -> tuple[Tensor, Losses]:
        """The sum to minimise, and the losses in it; ``seed`` draws masks and the like.

        A batch of speech teaches both halves, one of what was heard the speller alone.
        """
        if isinstance(batch, SpellingBatch):
            ctc, written = self._spell(batch)
            found = nothing_found(ctc.device)._replace(ctc=ctc, written=written)
            total = (1.0 - self._recipe.text.weight) * (ctc + written)
        else:
            total, found = self._listen(batch, epoch, seed)
        if text is not None:
            ctc, written = self._spell(text)
            found = found._replace(text=ctc, written=written)
            total = total + self._recipe.text.weight * (ctc + written)
        return total, Losses(*(loss.detach() for loss in found))

    def _listen(self, batch: Batch, epoch: float, seed: int) -> tuple[Tensor, Losses]:
        config = self._recipe.train
        device = batch.samples.device
        hook = masks(self._recipe, batch, epoch, seed)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            emissions = self.model(batch.samples, on_frames=hook, write=False)
        early = epoch < config.phone_epochs
        found = losses(emissions, batch, self._recipe.model, None if early else self._phone_model)
        ctc_weight = config.ctc_weight_early if early else 1.0
        phone_weight = 1.0 if early else config.phone_weight
        total = ctc_weight * found.ctc + phone_weight * found.phone
        return total + config.mmi_weight * found.sequence, found

    def _spell(self, batch: SpellingBatch) -> tuple[Tensor, Tensor]:
        """CTC of what the speller makes of phones, and what the writer does of its best paths."""
        device = batch.phones.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._recipe.train.bf16):
            heard = self.model.speller.features(batch.phones)
            units, _ = self.model.speller.spell(heard)
            ctc = unit_loss(units, batch.steps, batch.targets, batch.target_lengths)
            if not self._recipe.model.writer_width:
                return ctc, torch.zeros((), device=device)
            spelt = units.detach().transpose(0, 1)
            lines = best_paths(spelt, batch.steps, batch.targets, batch.target_lengths)
            said = self.model.writer(heard, spelt, self._mistell(lines.last))
        loss = F.nll_loss(said[lines.known], lines.units[lines.known], reduction="sum")
        return ctc, loss / batch.target_lengths.sum().clamp(min=1)

    def _mistell(self, last: Tensor) -> Tensor:
        """Put any unit in the place of some."""
        other = torch.randint_like(last, BLANK + 1, self._recipe.model.units)
        wrong = torch.rand(last.shape, device=last.device)
        return torch.where(wrong < self._recipe.text.untold_probability, other, last)


def masks(recipe: Recipe, batch: Batch, epoch: float, seed: int) -> FrameHook:
    """SpecAugment as it stands at this point of the run."""
    strength = min(1.0, epoch / max(recipe.augment.mask_ramp_epochs, 1e-6))
    lengths = batch.steps * recipe.model.frames_per_step
    return lambda frames: mask_frames(frames, lengths, recipe.augment, strength, seed)
