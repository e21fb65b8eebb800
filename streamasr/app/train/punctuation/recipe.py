"""The recipe of a punctuation model: one TOML file, every setting named and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streamasr.app.train.config import parse_sections, read_document
from streamasr.app.train.punctuation.network import Shape
from streamasr.app.train.punctuation.passages import Noise


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Text with marks and capitals, relative to the data directory; ``FILE`` or
    ``FILE:FIRST-LAST`` for some of its lines, counted from one."""

    train: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    """Text to train on whose sentences have nothing to do with each other."""
    dev: tuple[str, ...] = ()
    """Lines that choose the epoch; left out of the training text."""
    test: tuple[str, ...] = ()
    """Lines that nothing is learnt from; left out of the training text."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The run."""

    epochs: int = 10
    batch: int = 128
    length: int = 96
    """Tokens of a stretch of text; the network starts each from nothing."""
    learning_rate: float = 3e-3
    clip: float = 1.0
    seed: int = 0
    bfloat16: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    model: Shape = field(default_factory=Shape)
    noise: Noise = field(default_factory=Noise)
    train: TrainConfig = field(default_factory=TrainConfig)


def load_recipe(file: Path) -> Recipe:
    """Read a recipe; raises ConfigError that names what is wrong."""
    return parse_sections(Recipe, read_document(file), where=str(file))
