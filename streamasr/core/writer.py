"""Units one by one, each knowing the last: how greedy text comes about.

CTC gives every emission on its own. Where "make" and "making" are both likely, the first half of
one and the second half of the other may be the best of their emissions, and "makeking" is
written. The writer is told what it wrote last, so it cannot. At each step it says one unit, or
none (Sak et al. 2017, "Recurrent Neural Aligner", without its sampling: it is taught where CTC
would put the units of a sentence).

The speller's CTC, taught apart, errs elsewhere: the writer may heed it (`writer_heed`), and what
it then says is a weighted product of both. What CTC would merge with the last unit counts as
blank there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamasr.core.model import ModelConfig
from streamasr.core.speller import Recurrence, open_gates
from streamasr.core.units import BLANK


class Writer(nn.Module):
    """An LSTM over a speller's features and the last unit, and a linear layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.writer_width
        self.embedding = nn.Embedding(config.units, config.writer_embedding)
        self.lstm = nn.LSTM(config.speller_inputs + config.writer_embedding, width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.units)
        self.dropout = nn.Dropout(config.dropout)
        self.heed = config.writer_heed
        self.recurrence: Recurrence = nn.LSTM.__call__
        open_gates(self.lstm)

    def forward(self, features: Tensor, spelt: Tensor, last: Tensor) -> Tensor:
        """As it is taught: features [steps, batch, inputs], last units int64 [steps, batch].

        ``spelt`` are the speller's log-probabilities [steps, batch, units]. ``last`` holds what
        was written before each step, 0 for nothing yet. Returns log-probabilities
        [steps, batch, units].
        """
        fresh = torch.zeros(1, features.shape[1], self.head.in_features, device=features.device)
        x = torch.cat([features, self._told(last)], dim=2)
        return self._say(self.recurrence(self.lstm, x, (fresh, fresh))[0], spelt, last)

    def write(
        self, features: Tensor, spelt: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, list[Tensor]]:
        """As it is used: each step is told the best unit of those before.

        ``state`` is h and c [1, batch, width], and the last unit as float32 [1, batch, 1].
        Returns [batch, steps, 2], units (as float32) and their log-probabilities, and new state.
        """
        hidden, cell, last = state
        written = []
        for step, opinion in zip(features, spelt, strict=True):
            known = last[:, :, 0].long()
            x = torch.cat([step[None], self._told(known)], dim=2)
            y, (hidden, cell) = self.recurrence(self.lstm, x, (hidden, cell))
            sure, best = self._say(y, opinion[None], known).max(dim=2, keepdim=True)
            best = best.float()
            last = torch.where(best != BLANK, best, last)
            written.append(torch.cat([best, sure], dim=2))
        return torch.cat(written).transpose(0, 1), [hidden, cell, last]

    def _told(self, last: Tensor) -> Tensor:
        told: Tensor = self.embedding(last).tanh()
        return told

    def _say(self, y: Tensor, spelt: Tensor, last: Tensor) -> Tensor:
        x = self.norm(self.dropout(y))
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.head(x.float())
            if self.heed:
                logits = (1 - self.heed) * logits.log_softmax(dim=2)
                logits = logits + self.heed * _with_repeats(spelt.float(), last)
            return logits.log_softmax(dim=2)


def _with_repeats(spelt: Tensor, last: Tensor) -> Tensor:
    """The speller's opinion [steps, batch, units], blank raised by what would be merged."""
    blank = spelt[:, :, BLANK]
    again = spelt.gather(2, last[:, :, None])[:, :, 0]
    raised = torch.where(last == BLANK, blank, blank + F.softplus(again - blank))
    return torch.cat([raised[:, :, None], spelt[:, :, 1:]], dim=2)
