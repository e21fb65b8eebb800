"""Facts about an acoustic model, and where each part of its state lies.

A model's whole streaming state is one float32 vector, so a batch of streams is a
matrix, stacking is indexing, and no stream can hold a piece of another. The torch
module, the ONNX graph and the engines all take the layout from here; nothing in this
module needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from streamasr.core.features import HOP, SAMPLE_RATE, WINDOW
from streamasr.core.units import Units
from streamasr.errors import ConfigError

if TYPE_CHECKING:
    from streamasr.core.graph import GraphModel
    from streamasr.core.proofreading import Proofreader
    from streamasr.core.punctuation.punctuator import Punctuator

FRAMES_PER_STACK = 4
"""Feature frames that become one row of the convolutions: two strides of two."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of an acoustic model; every field is a dial of the training recipe."""

    mels: int = 80
    conv_channels: int = 32
    stacks: int = 2
    """Convolution rows joined into one recurrent step: 2 gives steps of 80 ms."""
    width: int = 512
    layers: int = 4
    """Recurrent layers that listen; the phone head stands on the last of them."""
    outputs_per_step: int = 2
    """Emissions of a head on the listening layers for one recurrent step."""
    units: int = 256
    phones: int = 0
    speller_layers: int = 0
    """Recurrent layers that spell: they hear nothing but the phone head, and units come out of
    them, one emission a step. With none, the units' head stands beside the phones'."""
    speller_width: int = 512
    writer_width: int = 0
    """Width of the recurrent layer that writes greedy text, told what it wrote last; with 0
    greedy text is the best path of the speller's CTC."""
    writer_embedding: int = 128
    """Numbers that tell it the last unit."""
    writer_heed: float = 0.0
    """How much of what is written the speller says: 0 for nothing, 1 for all."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in (
            "mels", "conv_channels", "stacks", "width", "layers", "outputs_per_step",
            "speller_width", "writer_embedding",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} must be at least 1, got {getattr(self, name)}")
        if self.mels % FRAMES_PER_STACK:
            raise ConfigError(f"model.mels must be a multiple of 4, got {self.mels}")
        if self.units < 2:
            raise ConfigError(f"model.units counts blank too: at least 2, got {self.units}")
        if self.speller_layers < 0:
            raise ConfigError(f"model.speller_layers is {self.speller_layers}", remedy="0 or more")
        if not 0 <= self.writer_heed < 1:
            raise ConfigError(f"model.writer_heed is {self.writer_heed}", remedy="0 up to, not 1")
        if self.writer_width and not self.speller_layers:
            raise ConfigError("model.writer_width needs model.speller_layers to learn from")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown model settings: {', '.join(sorted(unknown))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def frames_per_step(self) -> int:
        return FRAMES_PER_STACK * self.stacks

    @property
    def step_samples(self) -> int:
        return self.frames_per_step * HOP

    @property
    def unit_outputs(self) -> int:
        """Emissions of the units' head for one recurrent step."""
        return 1 if self.speller_layers else self.outputs_per_step

    @property
    def speller_inputs(self) -> int:
        """Numbers of a step that the speller takes: each phone's, plain and logarithmic."""
        return 2 * self.outputs_per_step * self.phones

    @property
    def conv_width(self) -> int:
        """Features that enter the first recurrent layer's projection."""
        return self.stacks * self.conv_channels * (self.mels // FRAMES_PER_STACK)

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency: a full step must have arrived, and a window reaches back.

        Left padding only, so the right context is zero.
        """
        return (self.step_samples + WINDOW) * 1000 / SAMPLE_RATE

    def state_parts(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield (name, shape per stream) of every piece of state, in their order."""
        yield "samples", (WINDOW - HOP,)
        yield "conv1", (self.mels,)
        yield "conv2", (self.conv_channels * (self.mels // 2),)
        yield "hidden", (self.layers, self.width)
        yield "cell", (self.layers, self.width)
        if self.speller_layers:
            yield "speller_hidden", (self.speller_layers, self.speller_width)
            yield "speller_cell", (self.speller_layers, self.speller_width)
        if self.writer_width:
            yield "writer_hidden", (1, self.writer_width)
            yield "writer_cell", (1, self.writer_width)
            yield "writer_last", (1, 1)

    @property
    def state_size(self) -> int:
        """Floats of state a stream."""
        total = 0
        for _, shape in self.state_parts():
            size = 1
            for side in shape:
                size *= side
            total += size
        return total


class Emissions(NamedTuple):
    """What an engine answers to a step of one stream."""

    units: NDArray[np.float32]
    """Log-probabilities [unit_outputs, units]."""
    phones: NDArray[np.float32] | None = None
    """Log-probabilities [outputs_per_step, phones], where the model has that head."""
    written: NDArray[np.float32] | None = None
    """What the writer says [unit_outputs, 2], where there is one: units as numbers, blanks too,
    and their log-probabilities."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the rest of the program needs to know of a model to stream through it."""

    name: str
    units: Units = field(repr=False)
    step_samples: int
    outputs_per_step: int
    """Emissions of the stream's clock in a step: those of the phone head."""
    state_size: int
    latency_ms: float
    writes: bool = False
    """Whether greedy text comes from a writer."""
    unit_stretch: int = 1
    """Emissions of the clock from one emission of units to the next."""
    tail_steps: int = 3
    """Steps of silence pushed through at the end of an utterance for the last word."""
    sample_rate: int = SAMPLE_RATE
    blank: int = 0
    presence: float = 0.0
    """How sure the phone head must be for speech (`core.presence`); 0 asks for nothing."""
    graph: GraphModel | None = field(default=None, repr=False)
    """What the graph decoder searches, where it is loaded."""
    proofreader: Proofreader | None = field(default=None, repr=False)
    """What mends greedy text, where the model has a list of words."""
    punctuator: Punctuator | None = field(default=None, repr=False)
    """What knows marks and capitals of the language, where a model for that is there."""

    @property
    def emission_samples(self) -> int:
        return self.step_samples // self.outputs_per_step

    @property
    def unit_outputs(self) -> int:
        """Emissions of units in a step."""
        return self.outputs_per_step // self.unit_stretch
