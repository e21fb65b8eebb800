"""How good a model is on the dev utterances: losses and greedy word errors, whole and clean."""

from __future__ import annotations

import torch

from streamasr.app.train.examples import EpochDataset
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.losses import losses
from streamasr.app.wer import Errors, count_errors
from streamasr.core.ctc import GreedyCtc
from streamasr.core.network import AcousticModel


@torch.no_grad()
def dev_figures(
    model: AcousticModel, dataset: EpochDataset, tokeniser: Tokeniser, device: torch.device
) -> dict[str, float]:
    """CTC and phone accuracy as means over batches, and the word error rate of all."""
    model.eval()
    total, ctc, phone_accuracy = Errors(), 0.0, 0.0
    outputs = model.config.unit_outputs
    for index in range(len(dataset)):
        batch = dataset[index].to(device)
        emissions = model(batch.samples)
        found = losses(emissions, batch, model.config)
        ctc += float(found.ctc) / len(dataset)
        phone_accuracy += float(found.phone_accuracy) / len(dataset)
        for row, text in enumerate(batch.texts):
            decoder = GreedyCtc()
            emitted = slice(int(batch.steps[row]) * outputs)
            if emissions.written is None:
                decoder.push(emissions.units[row, emitted].cpu().numpy())
            else:
                decoder.push_written(emissions.written[row, emitted].cpu().numpy())
            heard = tokeniser.units.text(t.id for t in decoder.tokens)
            total += count_errors(text.split(), heard.split())
    return {"dev_ctc": ctc, "dev_wer": total.rate, "dev_phone_accuracy": phone_accuracy}
