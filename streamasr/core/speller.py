"""The upper half of the acoustic model: sub-word units from phones.

It hears what the phone head says of each step and nothing else, so whoever says a sentence,
or nobody at all, is the same to it: it is taught by text that is played to it as phones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from streamasr.core.model import ModelConfig

Recurrence = Callable[[nn.LSTM, Tensor, tuple[Tensor, Tensor]], tuple[Tensor, Any]]
State = tuple[Tensor, Tensor]

FAINT = 3.4e-4
"""Probability that the logarithmic features cannot tell from nothing,"""
LOG_SCALE = 8.0
"""so that they lie in 0..1: exp(-8) is that probability."""


class Speller(nn.Module):
    """LSTMs, all but the first residual, and a linear layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, layers = config.speller_width, range(config.speller_layers)
        self.inputs = config.speller_inputs
        self.lstms = nn.ModuleList(nn.LSTM(width if i else self.inputs, width) for i in layers)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in layers)
        """After each layer: what the next one, or the head, takes."""
        self.recurrence: Recurrence = nn.LSTM.__call__
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.units)
        for lstm in self.lstms:
            assert isinstance(lstm, nn.LSTM)
            open_gates(lstm)

    def forward(self, phones: Tensor) -> Tensor:
        """phones: probabilities [batch, emissions, phones] of whole steps, from the start.

        Returns log-probabilities [batch, steps, units].
        """
        return self.spell(self.features(phones))[0]

    def spell(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """x [steps, batch, inputs] are `features`; ``state`` h and c [layers, batch, width].

        Returns log-probabilities [batch, steps, units], and new state.
        """
        if state is None:
            shape = len(self.lstms), x.shape[1], self.head.in_features
            state = torch.zeros(shape, device=x.device), torch.zeros(shape, device=x.device)
        heard: Tensor | None = None
        hiddens, cells = [], []
        for layer, (norm, lstm) in enumerate(zip(self.norms, self.lstms, strict=True)):
            assert isinstance(lstm, nn.LSTM)
            before = state[0][layer : layer + 1], state[1][layer : layer + 1]
            y, (h, c) = self.recurrence(lstm, x, before)
            heard = self.dropout(y) if heard is None else heard + self.dropout(y)
            x = norm(heard)
            hiddens.append(h)
            cells.append(c)
        with torch.autocast(x.device.type, enabled=False):
            units = self.head(x.float()).log_softmax(dim=2).transpose(0, 1)
        return units, (torch.cat(hiddens), torch.cat(cells))

    def features(self, phones: Tensor) -> Tensor:
        """Probabilities, and the same on a logarithmic scale: [steps, batch, inputs].

        The logarithms tell the unlikely from the impossible.
        """
        with torch.autocast(phones.device.type, enabled=False):
            logs = (phones.float() + FAINT).log() / LOG_SCALE + 1.0
            both = torch.cat([phones.float(), logs], dim=2)
        return both.reshape(phones.shape[0], -1, self.inputs).transpose(0, 1)


def open_gates(lstm: nn.LSTM) -> None:
    """Initial weights: recurrent ones orthogonal, forget gates open."""
    for name, weight in lstm.named_parameters():
        if "weight_hh" in name:
            for gate in weight.chunk(4):
                nn.init.orthogonal_(gate)
        elif "bias" in name:
            nn.init.zeros_(weight)
    nn.init.ones_(lstm.get_parameter("bias_ih_l0").chunk(4)[1])
