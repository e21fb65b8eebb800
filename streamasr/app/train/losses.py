"""The two losses: CTC over units, frame cross-entropy over aligned phones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from streamasr.app.alignment import NO_TARGET
from streamasr.app.train.examples import Batch
from streamasr.core.network import Emissions
from streamasr.core.units import BLANK


class Losses(NamedTuple):
    ctc: Tensor
    """Nats per target unit."""
    phone: Tensor
    """Nats per aligned emission; zero where there is none."""
    phone_accuracy: Tensor
    """Share of aligned emissions whose best phone is right."""


def losses(emissions: Emissions, batch: Batch, outputs_per_step: int) -> Losses:
    """Losses of one batch, in float32."""
    ctc = F.ctc_loss(
        emissions.units.transpose(0, 1),
        batch.targets,
        batch.steps * outputs_per_step,
        batch.target_lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    ) / batch.target_lengths.sum().clamp(min=1)
    phone = accuracy = torch.zeros((), device=ctc.device)
    if emissions.phones is not None and bool((batch.phones != NO_TARGET).any()):
        flat = emissions.phones.flatten(0, 1)
        targets = batch.phones.flatten()
        phone = F.nll_loss(flat, targets, ignore_index=NO_TARGET)
        known = targets != NO_TARGET
        accuracy = (flat.detach().argmax(1) == targets)[known].float().mean()
    return Losses(ctc, phone, accuracy)
