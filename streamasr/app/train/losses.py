"""The losses of speech: CTC over units, frame cross-entropy and MMI over aligned phones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from streamasr.app.alignment import NO_TARGET
from streamasr.app.train.examples import Batch
from streamasr.app.train.mmi import PhoneModel, mmi_loss
from streamasr.core.model import ModelConfig
from streamasr.core.network import Emissions
from streamasr.core.units import BLANK


class Losses(NamedTuple):
    ctc: Tensor
    """Nats per target unit."""
    phone: Tensor
    """Nats per aligned emission; zero where there is none."""
    phone_accuracy: Tensor
    """Share of aligned emissions whose best phone is right."""
    text: Tensor
    """Nats per target unit of what was spelt from text; zero where none was."""
    sequence: Tensor
    """Nats per emission of the phone sequences' MMI; zero where it is off."""
    written: Tensor
    """Nats per target unit of what the writer was to write, speech and text alike; zero where
    there is no writer."""


def unit_loss(units: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """CTC in nats per target unit; units [batch, emissions, units] are log-probabilities."""
    total = F.ctc_loss(
        units.transpose(0, 1),
        targets,
        lengths,
        target_lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )
    return total / target_lengths.sum().clamp(min=1)


def nothing_found(device: torch.device) -> Losses:
    """All losses zero."""
    return Losses(*(torch.zeros((), device=device) for _ in Losses._fields))


def losses(
    emissions: Emissions,
    batch: Batch,
    config: ModelConfig,
    phone_model: PhoneModel | None = None,
) -> Losses:
    """Losses of one batch, in float32; the sequence loss needs a ``phone_model``."""
    ctc = unit_loss(
        emissions.units, batch.steps * config.unit_outputs, batch.targets, batch.target_lengths
    )
    found = nothing_found(ctc.device)._replace(ctc=ctc)
    if emissions.phones is None or not bool((batch.phones != NO_TARGET).any()):
        return found
    flat = emissions.phones.flatten(0, 1)
    targets = batch.phones.flatten()
    known = targets != NO_TARGET
    right = (flat.detach().argmax(1) == targets)[known].float().mean()
    phone = F.nll_loss(flat, targets, ignore_index=NO_TARGET)
    found = found._replace(phone=phone, phone_accuracy=right)
    if phone_model is None:
        return found
    lengths = batch.steps * config.outputs_per_step
    sequence = mmi_loss(emissions.phones, lengths, batch.chains, phone_model)
    return found._replace(sequence=sequence)
