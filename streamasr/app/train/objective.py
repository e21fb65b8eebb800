"""What an update makes smaller: the weighted sum of all losses of a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from streamasr.app.train.augment import mask_frames
from streamasr.app.train.config import Recipe
from streamasr.app.train.examples import Batch
from streamasr.app.train.losses import Losses, losses, unit_loss
from streamasr.app.train.mmi import PhoneModel
from streamasr.app.train.textual import TextBatch
from streamasr.core.network import AcousticModel, FrameHook


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
        self, batch: Batch, text: TextBatch | None, *, epoch: float, seed: int
    ) -> tuple[Tensor, Losses]:
        """The sum to minimise, and the losses in it; ``seed`` draws masks and the like."""
        config, outputs = self._recipe.train, self._recipe.model.outputs_per_step
        device = batch.samples.device
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            emissions = self.model(
                batch.samples,
                on_frames=masks(self._recipe, batch, epoch, seed),
                keep=None if text is None else self._keep(len(batch.steps), seed, device),
            )
            spelt = None if text is None else self.model.spell(text.phones)
        early = epoch < config.phone_epochs
        found = losses(emissions, batch, outputs, None if early else self._phone_model)
        ctc_weight = config.ctc_weight_early if early else 1.0
        phone_weight = 1.0 if early else config.phone_weight
        total = ctc_weight * found.ctc + phone_weight * found.phone
        total = total + config.mmi_weight * found.sequence
        if text is not None and spelt is not None:
            lengths = text.steps * outputs
            found = found._replace(
                text=unit_loss(spelt, lengths, text.targets, text.target_lengths)
            )
            total = total + self._recipe.text.weight * found.text
        return total, Losses(*(loss.detach() for loss in found))

    def _keep(self, examples: int, seed: int, device: torch.device) -> Tensor:
        """Which examples go up to the units by more than the phones' feedback."""
        draw = np.random.default_rng((seed, 1)).random(examples)
        kept = torch.from_numpy(draw >= self._recipe.text.alone_probability)
        return kept.to(device, torch.float32)


def masks(recipe: Recipe, batch: Batch, epoch: float, seed: int) -> FrameHook:
    """SpecAugment as it stands at this point of the run."""
    strength = min(1.0, epoch / max(recipe.augment.mask_ramp_epochs, 1e-6))
    lengths = batch.steps * recipe.model.frames_per_step
    return lambda frames: mask_frames(frames, lengths, recipe.augment, strength, seed)
