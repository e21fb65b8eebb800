"""The five networks: features of a window in, scores of words out.

    conv        convolutions, then the mean and the maximum over time
    conv-lstm   spectrogram -> convolution -> pooling -> convolution -> pooling -> LSTM -> dense
    lstm, gru   two frames at a time
    residual    convolutions with shortcuts, halved twice

Training computes features once and gives them to `WordNetwork.score`; the exported graph takes
samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from streamasr.app.train.classify.recipe import NetworkConfig, WindowConfig
from streamasr.core.network import LogMel


class Front(nn.Module):
    """Samples to log-mel or MFCC, as they are: the network normalises them."""

    turn: Tensor

    def __init__(self, config: WindowConfig) -> None:
        super().__init__()
        self.log_mel = LogMel(config.mels)
        self.is_turned = config.features == "mfcc"
        self.register_buffer("turn", cosines(config.mels, config.coefficients), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """samples [batch, WINDOW - HOP + frames · HOP] -> [batch, frames, size]."""
        frames: Tensor = self.log_mel(samples)
        return frames @ self.turn if self.is_turned else frames


def cosines(mels: int, coefficients: int) -> Tensor:
    """The orthonormal DCT-II as a matrix [mels, coefficients]."""
    band = torch.arange(mels, dtype=torch.float64)[:, None] + 0.5
    order = torch.arange(coefficients, dtype=torch.float64)[None]
    matrix = torch.cos(math.pi / mels * band * order) * math.sqrt(2.0 / mels)
    matrix[:, 0] /= math.sqrt(2.0)
    return matrix.float()


class WordNetwork(nn.Module):
    """One of the five, with its features in front."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, window: WindowConfig, network: NetworkConfig, classes: int) -> None:
        super().__init__()
        self.front = Front(window)
        self.register_buffer("mean", torch.zeros(window.size))
        self.register_buffer("deviation", torch.ones(window.size))
        self.body = BODIES[network.kind](window.size, network)
        with torch.no_grad():
            self.body.eval()
            found = self.body(torch.zeros(2, window.frames, window.size)).shape[1]
            self.body.train()
        self.head = nn.Sequential(nn.Dropout(network.dropout), nn.Linear(found, classes))

    def forward(self, samples: Tensor) -> Tensor:
        """samples [batch, window] -> log-probabilities [batch, classes]."""
        return self.score(self.normalise(self.front(samples))).float().log_softmax(dim=1)

    def normalise(self, frames: Tensor) -> Tensor:
        """frames [batch, frames, size] of mean 0 and deviation 1."""
        return (frames - self.mean) / self.deviation

    def score(self, frames: Tensor) -> Tensor:
        """Normalised frames [batch, frames, size] -> scores [batch, classes]."""
        scores: Tensor = self.head(self.body(frames))
        return scores


def convolution(into: int, out: int, *, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


def pool(planes: Tensor) -> Tensor:
    """planes [batch, channels, frames, size] -> [batch, 2 · channels]: mean and maximum."""
    flat = planes.flatten(2)
    return torch.cat([flat.mean(dim=2), flat.amax(dim=2)], dim=1)


class Conv(nn.Module):
    """Plain convolutions, ``layers`` of them after the first two."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        half, width = config.width // 2, config.width
        self.stack = nn.Sequential(
            convolution(1, half, stride=2, kernel=5),
            convolution(half, width, stride=2),
            *(convolution(width, width, stride=2 if n == 0 else 1) for n in range(config.layers)),
            nn.Dropout2d(config.dropout / 2),
        )

    def forward(self, frames: Tensor) -> Tensor:
        return pool(self.stack(frames[:, None]))


class ConvLstm(nn.Module):
    """Convolutions and pooling, twice, then LSTMs over what is left of time."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        channels = max(8, config.width // 3)
        self.stack = nn.Sequential(
            convolution(1, channels), nn.MaxPool2d(2), convolution(channels, channels),
            nn.MaxPool2d(2), nn.Dropout2d(config.dropout / 2),
        )  # fmt: skip
        self.recurrent = Recurrent(nn.LSTM, channels * (size // 4), config, layers=1)

    def forward(self, frames: Tensor) -> Tensor:
        planes: Tensor = self.stack(frames[:, None])
        found: Tensor = self.recurrent(planes.transpose(1, 2).flatten(2))
        return found


class Recurrent(nn.Module):
    """LSTM or GRU layers and what they said on average and at most."""

    def __init__(
        self, kind: type[nn.LSTM] | type[nn.GRU], size: int, config: NetworkConfig, *, layers: int
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        dropout = config.dropout if layers > 1 else 0.0
        self.cells = kind(size, 2 * config.width, layers, batch_first=True, dropout=dropout)

    def forward(self, steps: Tensor) -> Tensor:
        """steps [batch, time, size] -> [batch, 4 · width]."""
        said, _ = self.cells(self.norm(steps))
        return torch.cat([said.mean(dim=1), said.amax(dim=1)], dim=1)


class Frames(nn.Module):
    """Recurrent layers over pairs of frames."""

    def __init__(
        self, kind: type[nn.LSTM] | type[nn.GRU], size: int, config: NetworkConfig
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(kind, 2 * size, config, layers=config.layers)

    def forward(self, frames: Tensor) -> Tensor:
        count, size = frames.shape[1] // 2, frames.shape[2]
        pairs = frames[:, : 2 * count].reshape(-1, count, 2 * size)
        found: Tensor = self.recurrent(pairs)
        return found


class Block(nn.Module):
    """Two convolutions and a shortcut past them."""

    def __init__(self, into: int, out: int, *, stride: int) -> None:
        super().__init__()
        self.first = convolution(into, out, stride=stride)
        self.second = nn.Sequential(
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or into != out:
            self.shortcut = nn.Conv2d(into, out, 1, stride=stride, bias=False)

    def forward(self, planes: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(planes)) + self.shortcut(planes))


class Residual(nn.Module):
    """Blocks at three sizes, ``layers`` at each."""

    def __init__(self, size: int, config: NetworkConfig) -> None:
        super().__init__()
        widths = (config.width // 2, config.width * 3 // 4, config.width)
        into = max(8, config.width * 3 // 8)
        blocks: list[nn.Module] = [convolution(1, into, stride=2, kernel=5)]
        for width in widths:
            for number in range(config.layers):
                blocks.append(Block(into, width, stride=2 if number == 0 else 1))
                into = width
        self.stack = nn.Sequential(*blocks, nn.Dropout2d(config.dropout / 2))

    def forward(self, frames: Tensor) -> Tensor:
        return pool(self.stack(frames[:, None]))


BODIES = {
    "conv": Conv,
    "conv-lstm": ConvLstm,
    "lstm": lambda size, config: Frames(nn.LSTM, size, config),
    "gru": lambda size, config: Frames(nn.GRU, size, config),
    "residual": Residual,
}
