"""What a word classifier is made of: one TOML file, every setting named and checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamasr.app.train.config import AugmentConfig, parse_sections, read_document
from streamasr.core.features import HOP, SAMPLE_RATE, WINDOW
from streamasr.errors import ConfigError

NETWORKS = ("conv", "conv-lstm", "lstm", "gru", "residual")
FEATURES = ("log-mel", "mfcc")


@dataclass(frozen=True, slots=True)
class WordsConfig:
    """Which recordings; folders are relative to the data directory. The text is the label."""

    train: tuple[str, ...] = ()
    train_splits: tuple[str, ...] = ("train",)
    test: tuple[str, ...] = ()
    """Measured once, at the end; empty for none."""
    test_splits: tuple[str, ...] = ("test",)
    words: tuple[str, ...] = ()
    """What to tell apart; empty takes every text. Recordings of other texts are of no word then."""
    others: tuple[str, ...] = ()
    """Corpora of speech in which none of the words is said."""
    other_share: float = 0.0
    """Examples without a word, relative to those with one; above 0 there is a class for them."""
    hold_out: float = 0.1
    """Share of the training recordings that decides when to stop."""
    by_speaker: bool = True
    """Whether speakers are kept together where recordings are divided."""


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """What the network looks at."""

    features: str = "log-mel"
    window_s: float = 1.0
    mels: int = 40
    coefficients: int = 20
    """Of MFCC."""
    shift_s: float = 0.1
    """Words are moved by as much in training, either way."""

    @property
    def frames(self) -> int:
        return round(self.window_s * SAMPLE_RATE / HOP)

    @property
    def shift_frames(self) -> int:
        return round(self.shift_s * SAMPLE_RATE / HOP)

    @property
    def size(self) -> int:
        """Features of a frame."""
        return self.mels if self.features == "log-mel" else self.coefficients

    def samples(self, frames: int) -> int:
        """Samples that give so many frames."""
        return frames * HOP + WINDOW - HOP


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One of the five; ``width`` and ``layers`` mean channels and blocks, or cells and layers."""

    kind: str = "conv"
    width: int = 64
    layers: int = 2
    dropout: float = 0.2


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The schedule and the optimiser."""

    epochs: int = 30
    patience: int = 8
    """Epochs without a better result on what was held out before stopping."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    batch: int = 100
    average: float = 0.995
    """What is kept of the running mean of the weights at an update; the mean is the model."""
    copies: int = 4
    """Times that every recording is augmented, once for all epochs."""
    bf16: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What Optuna may choose from, each as lowest and highest."""

    epochs: int = 12
    learning_rate: tuple[float, float] = (5e-4, 8e-3)
    weight_decay: tuple[float, float] = (1e-3, 0.2)
    dropout: tuple[float, float] = (0.0, 0.5)
    label_smoothing: tuple[float, float] = (0.0, 0.15)
    width: tuple[int, int] = (32, 128)


@dataclass(frozen=True, slots=True)
class WordRecipe:
    """A whole configuration of a word classifier."""

    data: WordsConfig = field(default_factory=WordsConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: FitConfig = field(default_factory=FitConfig)
    search: SearchConfig = field(default_factory=SearchConfig)


def load_recipe(path: Path) -> WordRecipe:
    """Read a recipe; raises ConfigError that names the setting at fault."""
    return parse_recipe(read_document(path), where=str(path))


def parse_recipe(document: dict[str, Any], *, where: str = "recipe") -> WordRecipe:
    recipe = parse_sections(WordRecipe, document, where=where)
    check(recipe, where=where)
    return recipe


def with_network(recipe: WordRecipe, kind: str | None) -> WordRecipe:
    """The same with another network; raises ConfigError for one that is not known."""
    if kind is None:
        return recipe
    changed = dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, kind=kind))
    check(changed, where="--network")
    return changed


def check(recipe: WordRecipe, *, where: str) -> None:
    """Raise ConfigError for values that make no sense."""
    data, window, network, train = recipe.data, recipe.window, recipe.network, recipe.train
    if not data.train:
        raise ConfigError(f"{where}: data.train names no corpus", remedy="a folder with a manifest")
    for name, value, known in (
        ("network.kind", network.kind, NETWORKS),
        ("window.features", window.features, FEATURES),
    ):
        if value not in known:
            raise ConfigError(f"{where}: {name} is {value!r}", remedy=f"one of {', '.join(known)}")
    for name, number, low, high in (
        ("data.hold_out", data.hold_out, 0.01, 0.5),
        ("data.other_share", data.other_share, 0.0, 100.0),
        ("window.window_s", window.window_s, 0.2, 5.0),
        ("window.shift_s", window.shift_s, 0.0, window.window_s / 2),
        ("window.mels", window.mels, 10, 128),
        ("window.coefficients", window.coefficients, 5, window.mels),
        ("network.width", network.width, 4, 1024),
        ("network.layers", network.layers, 1, 8),
        ("network.dropout", network.dropout, 0.0, 0.9),
        ("train.epochs", train.epochs, 1, 10_000),
        ("train.patience", train.patience, 1, 10_000),
        ("train.batch", train.batch, 2, 10_000),
        ("train.copies", train.copies, 1, 100),
        ("train.average", train.average, 0.0, 0.9999),
        ("search.epochs", recipe.search.epochs, 1, 10_000),
    ):
        if not low <= number <= high:
            raise ConfigError(f"{where}: {name} is {number:g}, must lie in {low:g}..{high:g}")
    if data.others and not data.other_share:
        raise ConfigError(f"{where}: data.others are never heard", remedy="data.other_share = 1")
