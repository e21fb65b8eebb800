"""The acoustic model: samples and state in, log-probabilities and new state out.

    samples --frames--> log-mel --conv, conv--> stack --LSTM x k--+--LSTM x (n - k)--> units
                                                           └─> phones ─┘ feedback

What the phone head says goes back into the layers above it (Nozaki and Komatsu 2021,
"Relaxing the conditional independence assumption of CTC-based ASR by conditioning on
intermediate predictions"), so that these can also learn to spell from phones alone.

Every layer looks only to the left, and what it needs from the left lies in the state, so
one forward serves training (many steps from fresh state) and streaming (one step at a
time): the two differ in nothing but how the audio was cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamasr.core.features import HOP, POWER_FLOOR, WINDOW, dft_matrix, mel_matrix, used_bins
from streamasr.core.model import ModelConfig

FrameHook = Callable[[Tensor], Tensor]
Recurrence = Callable[[nn.LSTM, Tensor, tuple[Tensor, Tensor]], tuple[Tensor, Any]]


class Emissions(NamedTuple):
    """What one forward gives."""

    units: Tensor
    """Log-probabilities [batch, steps · outputs_per_step, units], float32."""
    phones: Tensor | None
    """Log-probabilities [batch, steps · outputs_per_step, phones], if there is a head."""
    state: Tensor
    """[batch, state_size], float32."""


class LogMel(nn.Module):
    """Normalised log-mel frames as matrix products, in float32 always."""

    dft: Tensor
    mel: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, mels: int) -> None:
        super().__init__()
        bins = used_bins(mels)
        self.register_buffer("dft", torch.from_numpy(dft_matrix(mels)), persistent=False)
        self.register_buffer("mel", torch.from_numpy(mel_matrix(mels)[bins]), persistent=False)
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("deviation", torch.ones(mels))

    def forward(self, samples: Tensor) -> Tensor:
        """samples [batch, WINDOW - HOP + frames · HOP] -> [batch, frames, mels]."""
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = samples.float().unfold(1, WINDOW, HOP) @ self.dft
            real, imaginary = spectrum.chunk(2, dim=2)
            power = (real.square() + imaginary.square()) @ self.mel
            return ((power + POWER_FLOOR).log() - self.mean) / self.deviation


class AcousticModel(nn.Module):
    """Causal convolutions, residual LSTMs, and a head each for units and phones."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.log_mel = LogMel(config.mels)
        # No padding in time: the state supplies the left edge. Time is the first kernel axis.
        self.conv1 = nn.Conv2d(1, config.conv_channels, 3, stride=2, padding=(0, 1))
        self.conv2 = nn.Conv2d(
            config.conv_channels, config.conv_channels, 3, stride=2, padding=(0, 1)
        )
        self.project = nn.Linear(config.conv_width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.layers))
        self.lstms = nn.ModuleList(nn.LSTM(width, width) for _ in range(config.layers))
        self.recurrence: Recurrence = nn.LSTM.__call__
        """How a layer is run; training may put a faster way here."""
        self.dropout = nn.Dropout(config.dropout)
        self.unit_norm = nn.LayerNorm(width)
        self.unit_head = nn.Linear(width, config.outputs_per_step * config.units)
        if config.phones:
            self.phone_norm = nn.LayerNorm(width)
            self.phone_head = nn.Linear(width, config.outputs_per_step * config.phones)
        if config.phones and config.feedback:
            self.feedback = nn.Linear(config.outputs_per_step * config.phones, width, bias=False)
        self.initialise()

    def initialise(self) -> None:
        """Forget gates open, recurrent weights orthogonal, heads small."""
        for lstm in self.lstms:
            assert isinstance(lstm, nn.LSTM)
            for name, weight in lstm.named_parameters():
                if "weight_hh" in name:
                    for gate in weight.chunk(4):
                        nn.init.orthogonal_(gate)
                elif "bias" in name:
                    nn.init.zeros_(weight)
            nn.init.ones_(lstm.get_parameter("bias_ih_l0").chunk(4)[1])
        if self.has_feedback:
            nn.init.zeros_(self.feedback.weight)

    @property
    def has_feedback(self) -> bool:
        return self.config.feedback and self.config.phones > 0

    def fresh_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.config.state_size, device=self.log_mel.mean.device)

    def forward(
        self,
        samples: Tensor,
        state: Tensor | None = None,
        on_frames: FrameHook | None = None,
        keep: Tensor | None = None,
    ) -> Emissions:
        """Step: samples [batch, steps · step_samples], state [batch, state_size].

        ``on_frames`` sees the features [batch, frames, mels] before the convolutions;
        training masks them there. ``keep`` [batch] of 0 or 1 says for which examples the
        layers above the phone head hear more than its feedback.
        """
        config = self.config
        if state is None:
            state = self.fresh_state(samples.shape[0])
        carry, tail1, tail2, hidden, cell = self._split(state)
        padded = torch.cat([carry, samples], dim=1)
        frames = self.log_mel(padded)
        if on_frames is not None:
            frames = on_frames(frames)
        x, tail1, tail2 = self._convolve(frames, tail1, tail2)
        x = self.project(x).transpose(0, 1)  # [steps, batch, width]
        phones = None
        hiddens, cells = [], []
        for index, (norm, lstm) in enumerate(zip(self.norms, self.lstms, strict=True)):
            assert isinstance(lstm, nn.LSTM)
            before = hidden[index : index + 1], cell[index : index + 1]
            y, (h, c) = self.recurrence(lstm, norm(x), before)
            x = x + self.dropout(y)
            hiddens.append(h)
            cells.append(c)
            if config.phones and index + 1 == config.phone_layer:
                phones = self._emit(self.phone_head, self.phone_norm(x))
                if self.has_feedback:
                    x = x if keep is None else x * keep[None, :, None]
                    x = x + self._feed(phones.exp())
        units = self._emit(self.unit_head, self.unit_norm(x))
        batch = samples.shape[0]
        new_state = torch.cat(
            [
                padded[:, padded.shape[1] - (WINDOW - HOP) :].float(),
                tail1.reshape(batch, -1).float(),
                tail2.reshape(batch, -1).float(),
                torch.cat(hiddens).transpose(0, 1).reshape(batch, -1).float(),
                torch.cat(cells).transpose(0, 1).reshape(batch, -1).float(),
            ],
            dim=1,
        )
        return Emissions(units, phones, new_state)

    def spell(self, phones: Tensor) -> Tensor:
        """Units from phones alone, as in training on text.

        phones [batch, steps · outputs_per_step, phones] are probabilities; returns
        log-probabilities [batch, steps · outputs_per_step, units].
        """
        x = self._feed(phones)
        fresh = torch.zeros(1, *x.shape[1:], device=x.device)
        above = slice(self.config.phone_layer, None)
        for norm, lstm in zip(self.norms[above], self.lstms[above], strict=True):
            assert isinstance(lstm, nn.LSTM)
            x = x + self.dropout(self.recurrence(lstm, norm(x), (fresh, fresh))[0])
        return self._emit(self.unit_head, self.unit_norm(x))

    def _feed(self, phones: Tensor) -> Tensor:
        """Probabilities [batch, emissions, phones] -> [steps, batch, width]."""
        steps = phones.shape[1] // self.config.outputs_per_step
        fed: Tensor = self.feedback(phones.reshape(phones.shape[0], steps, -1))
        return fed.transpose(0, 1)

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Cut [batch, state_size] into the parts that `ModelConfig.state_parts` names."""
        parts, at = [], 0
        for _, shape in self.config.state_parts():
            size = torch.Size(shape).numel()
            parts.append(state[:, at : at + size].reshape(-1, *shape))
            at += size
        samples, tail1, tail2, hidden, cell = parts
        channels, mels = self.config.conv_channels, self.config.mels
        return (
            samples,
            tail1.view(-1, 1, 1, mels),
            tail2.view(-1, channels, 1, mels // 2),
            hidden.transpose(0, 1).contiguous(),  # [layers, batch, width]
            cell.transpose(0, 1).contiguous(),
        )

    def _convolve(
        self, frames: Tensor, tail1: Tensor, tail2: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """frames [batch, time, mels] -> [batch, steps, conv_width] and the new tails."""
        # The last row that a kernel of three with stride two reads is row 2n of tail + x, so
        # exactly one row is carried. It carries no future: kernels end on the newest frame.
        x = torch.cat([tail1.to(frames.dtype), frames.unsqueeze(1)], dim=2)
        tail1 = x[:, :, -1:]
        x = F.relu(self.conv1(x))
        x = torch.cat([tail2.to(x.dtype), x], dim=2)  # [batch, channels, 1 + time / 2, mels / 2]
        tail2 = x[:, :, -1:]
        x = F.relu(self.conv2(x))  # [batch, channels, time / 4, mels / 4]
        x = x.transpose(1, 2).flatten(2)
        return x.reshape(x.shape[0], -1, self.config.conv_width), tail1, tail2

    def _emit(self, head: nn.Module, x: Tensor) -> Tensor:
        """[steps, batch, width] -> log-probabilities [batch, steps · outputs, classes]."""
        assert isinstance(head, nn.Linear)
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = F.linear(x.float(), head.weight, head.bias).transpose(0, 1)
            batch, steps, _ = logits.shape
            outputs = self.config.outputs_per_step
            return logits.reshape(batch, steps * outputs, -1).log_softmax(dim=2)
