"""The acoustic model: samples and state in, log-probabilities and new state out.

    samples --frames--> log-mel --conv, conv--> stack --LSTM x n--> phones --speller--> units
                                                                      └─writer─> greedy text

The lower half listens: it says which phones it hears. The upper half (`core.speller`) spells
what was heard. A network may do without a speller; the head of its units then stands beside
that of its phones, or alone, on the last listening layer.

Every layer looks only to the left, and what it needs from the left lies in the state, so
one forward serves training (many steps from fresh state) and streaming (one step at a
time): the two differ in nothing but how the audio was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamasr.core.features import HOP, POWER_FLOOR, WINDOW, dft_matrix, mel_matrix, used_bins
from streamasr.core.model import ModelConfig
from streamasr.core.speller import Recurrence, Speller, open_gates
from streamasr.core.writer import Writer
from streamasr.errors import ConfigError

FrameHook = Callable[[Tensor], Tensor]


class Emissions(NamedTuple):
    """What one forward gives."""

    units: Tensor
    """Log-probabilities [batch, steps · unit_outputs, units], float32."""
    phones: Tensor | None
    """Log-probabilities [batch, steps · outputs_per_step, phones], if there is a head."""
    state: Tensor
    """[batch, state_size], float32."""
    written: Tensor | None = None
    """What the writer says [batch, steps, 2], if there is one: units and log-probabilities."""


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
    """Causal convolutions, residual LSTMs, and what says phones and units from them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.speller_layers and not config.phones:
            raise ConfigError("model.speller_layers spell from phones, and there are none")
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
        self.dropout = nn.Dropout(config.dropout)
        if config.phones:
            self.phone_norm = nn.LayerNorm(width)
            self.phone_head = nn.Linear(width, config.outputs_per_step * config.phones)
        if config.writer_width:
            self.writer = Writer(config)
        if config.speller_layers:
            self.speller = Speller(config)
        else:
            self.unit_norm = nn.LayerNorm(width)
            self.unit_head = nn.Linear(width, config.outputs_per_step * config.units)
        for lstm in self.lstms:
            assert isinstance(lstm, nn.LSTM)
            open_gates(lstm)

    def run_layers_with(self, recurrence: Recurrence) -> None:
        """Let all recurrent layers be run another way, as training does on CPUs."""
        self.recurrence = recurrence
        if self.config.speller_layers:
            self.speller.recurrence = recurrence
        if self.config.writer_width:
            self.writer.recurrence = recurrence

    def spelling_parts(self) -> list[nn.Module]:
        """What can be taught without audio."""
        parts = ("speller", "writer")
        return [getattr(self, name) for name in parts if hasattr(self, name)]

    def fresh_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.config.state_size, device=self.log_mel.mean.device)

    def forward(
        self,
        samples: Tensor,
        state: Tensor | None = None,
        on_frames: FrameHook | None = None,
        *,
        write: bool = True,
    ) -> Emissions:
        """Step: samples [batch, steps · step_samples], state [batch, state_size].

        ``on_frames`` sees the features [batch, frames, mels] before the convolutions;
        training masks them there. Without ``write`` the writer, which goes step by step, is
        left out and the new state is that of all before it.
        """
        config = self.config
        if state is None:
            state = self.fresh_state(samples.shape[0])
        front, recurrent = self._split(state)
        x, front = self._hear(samples, front, on_frames)
        x, *after = self._listen(x, *recurrent[:2])
        phones = self._emit(self.phone_head, self.phone_norm(x)) if config.phones else None
        written = None
        if phones is not None and config.speller_layers:
            heard = self.speller.features(phones.exp())
            units, spelling = self.speller.spell(heard, (recurrent[2], recurrent[3]))
            after += spelling
            if config.writer_width and write:
                written, writing = self.writer.write(
                    heard, units.transpose(0, 1), tuple(recurrent[4:])
                )
                after += writing
        else:
            units = self._emit(self.unit_head, self.unit_norm(x))
        batch = samples.shape[0]
        new_state = [part.reshape(batch, -1).float() for part in front]
        new_state += [part.transpose(0, 1).reshape(batch, -1).float() for part in after]
        return Emissions(units, phones, torch.cat(new_state, dim=1), written)

    def phones(self, samples: Tensor, on_frames: FrameHook | None = None) -> Tensor:
        """What the lower half alone says: log-probabilities [batch, emissions, phones]."""
        front, recurrent = self._split(self.fresh_state(samples.shape[0]))
        x, _ = self._hear(samples, front, on_frames)
        x, *_ = self._listen(x, *recurrent[:2])
        return self._emit(self.phone_head, self.phone_norm(x))

    def _hear(
        self, samples: Tensor, front: Sequence[Tensor], on_frames: FrameHook | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Samples to the first listening layer's input [steps, batch, width], and new state."""
        carry, tail1, tail2 = front
        padded = torch.cat([carry, samples], dim=1)
        frames = self.log_mel(padded)
        if on_frames is not None:
            frames = on_frames(frames)
        x, tail1, tail2 = self._convolve(frames, tail1, tail2)
        new_carry = padded[:, padded.shape[1] - (WINDOW - HOP) :]
        return self.project(x).transpose(0, 1), [new_carry, tail1, tail2]

    def _listen(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [steps, batch, width], h and c [layers, batch, width], through all listening layers."""
        hiddens, cells = [], []
        for index, (norm, lstm) in enumerate(zip(self.norms, self.lstms, strict=True)):
            assert isinstance(lstm, nn.LSTM)
            before = hidden[index : index + 1], cell[index : index + 1]
            y, (h, c) = self.recurrence(lstm, norm(x), before)
            x = x + self.dropout(y)
            hiddens.append(h)
            cells.append(c)
        return x, torch.cat(hiddens), torch.cat(cells)

    def _split(self, state: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Cut [batch, state_size] into the parts that `ModelConfig.state_parts` names.

        The front's keep their batch first; the layers' are [layers, batch, width].
        """
        parts, at = [], 0
        for _, shape in self.config.state_parts():
            size = torch.Size(shape).numel()
            parts.append(state[:, at : at + size].reshape(-1, *shape))
            at += size
        samples, tail1, tail2, *layers = parts
        channels, mels = self.config.conv_channels, self.config.mels
        front = [samples, tail1.view(-1, 1, 1, mels), tail2.view(-1, channels, 1, mels // 2)]
        return front, [part.transpose(0, 1).contiguous() for part in layers]

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
