"""The training configuration: one TOML file, every setting named and checked."""

from __future__ import annotations

import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from streamasr.core.model import ModelConfig
from streamasr.errors import ConfigError

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What to train on; folders are relative to the data directory."""

    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    train_splits: tuple[str, ...] = ("train",)
    dev_splits: tuple[str, ...] = ("dev",)
    alignments: str = ""
    """Folder of <corpus>.jsonl.gz alignments: phone targets, and pauses to cut at."""
    librispeech: tuple[str, ...] = ()
    """torchaudio LIBRISPEECH subsets (train-clean-100, ...) below the data directory."""
    commonvoice: tuple[str, ...] = ()
    """torchaudio COMMONVOICE version folders below the data directory."""
    speechcommands: bool = False
    """Whether torchaudio's SPEECHCOMMANDS lies below the data directory."""
    max_s: float = 17.0
    min_s: float = 0.4


@dataclass(frozen=True, slots=True)
class UnitsConfig:
    """The sub-word inventory, learnt once by sentencepiece."""

    text: tuple[str, ...] = ()
    """More text (.txt or .txt.gz, a sentence a line) beside the transcripts."""
    max_sentences: int = 200_000


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Everything random that happens to the audio; probabilities are per example."""

    speed: float = 0.1
    """Speed factors are uniform in 1 ± this."""
    gain_db: tuple[float, float] = (-12.0, 6.0)
    noise: str = ""
    """Folder searched for noise recordings; empty for none."""
    noise_probability: float = 0.3
    snr_db: tuple[float, float] = (5.0, 30.0)
    clatter_share: float = 0.0
    """Of the noise: how often it is made dishes instead of a recording,"""
    babble_share: float = 0.0
    """or the talk of others,"""
    voices: str = ""
    """which comes from this corpus of speech."""
    rooms: str = ""
    """Folder of impulse responses with a manifest; empty for none."""
    room_probability: float = 0.1
    max_rt60_s: float = 0.9
    codec_probability: float = 0.0
    """How often the sound goes through a lossy codec: MP3, Vorbis, Opus or a telephone's."""
    silence_probability: float = 0.0
    """How often an example is replaced by noise or music in which nobody speaks."""
    time_masks: int = 4
    time_mask_frames: int = 20
    band_masks: int = 2
    band_mask_width: int = 15
    mask_ramp_epochs: float = 6.0
    """Masks grow from nothing to full size over these epochs."""


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Sentences that the speller learns without audio, and what it hears beside them."""

    files: tuple[str, ...] = ()
    """Texts (.txt or .txt.gz, a sentence a line); none turns this off."""
    most_sentences: int = 0
    """Sentences kept, drawn from all; 0 keeps all."""
    lexicon: str = ""
    """Dictionary of words that CMUdict lacks, as `streamasr lm build` writes it."""
    share: float = 1.0
    """Emissions of text in an update, relative to those of its speech."""
    weight: float = 0.5
    """Of the text loss; that of the speech has the rest of 1 where the speller learns alone."""
    untold_probability: float = 0.05
    """How often the writer is told another unit than the last one, so that it forgives itself."""
    skip_probability: float = 0.05
    """How often a phone is swallowed."""
    pause_probability: float = 0.1
    """How often a pause stands between two words."""
    bank_batches: int = 30
    """Batches of speech that are listened to at the start of an epoch, for the speller."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The schedule and the optimiser."""

    start: str = ""
    """A model or run folder whose weights and units to begin with; empty begins with nothing.
    Units and a speller of another shape than the recipe's begin anew."""
    only_speller: bool = False
    """Whether the listening half stays as it is, and the speller alone is taught."""
    epochs: int = 30
    decay_epochs: float = 8.0
    """The learning rate holds, then falls to zero linearly over the last of these."""
    warmup_updates: int = 300
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    clip_norm: float = 3.0
    batch_s: float = 240.0
    """Audio in a batch, padding included."""
    phone_epochs: float = 4.0
    """Epochs led by the phone loss; after them the unit loss leads."""
    phone_weight: float = 0.3
    ctc_weight_early: float = 0.3
    mmi_weight: float = 0.0
    """Of the sequence loss of the phone head once the unit loss leads; 0 for none of it."""
    phone_delay_ms: float = 60.0
    """How long after a phone its frame target stands."""
    pause_cut_s: float = 0.3
    pause_cut_probability: float = 0.6
    """Pauses at least this long are cut with this probability, as the gate does live."""
    average: int = 5
    """Epoch checkpoints averaged for evaluation and export."""
    patience: int = 12
    """Epochs without a better dev result before stopping."""
    checkpoint_minutes: float = 5.0
    workers: int = 1
    threads: int = 0
    device: str = "auto"
    bf16: bool = True
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training configuration."""

    data: DataConfig = field(default_factory=DataConfig)
    units: UnitsConfig = field(default_factory=UnitsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    text: TextConfig = field(default_factory=TextConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raises ConfigError that names an unknown or ill-typed setting."""
    return parse_recipe(read_document(path), where=str(path))


def read_document(path: Path) -> dict[str, Any]:
    """The TOML of a recipe; raises ConfigError where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such recipe: {path}", remedy="see recipes/") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def parse_recipe(document: dict[str, Any], *, where: str = "recipe") -> Recipe:
    return parse_sections(Recipe, document, where=where)


def parse_sections(kind: type[Section], document: dict[str, Any], *, where: str) -> Section:
    """A dataclass of sections from a document; raises ConfigError for what it does not have."""
    hints = typing.get_type_hints(kind)
    unknown = set(document) - set(hints)
    if unknown:
        raise ConfigError(
            f"{where}: unknown section [{', '.join(sorted(unknown))}]",
            remedy=f"known: {', '.join(hints)}",
        )
    return kind(
        **{
            name: _parse_section(hints[name], values, where=f"{where}: [{name}]")
            for name, values in document.items()
        }
    )


def _parse_section(kind: type[Section], values: Any, *, where: str) -> Section:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be a table")
    hints = typing.get_type_hints(kind)
    unknown = set(values) - set(hints)
    if unknown:
        raise ConfigError(
            f"{where} has no setting {', '.join(sorted(unknown))}",
            remedy=f"known: {', '.join(hints)}",
        )
    return kind(**{n: _coerce(hints[n], v, where=f"{where} {n}") for n, v in values.items()})


def _coerce(kind: Any, value: Any, *, where: str) -> Any:
    """Check a TOML value against a field's type; lists become tuples."""
    if isinstance(kind, types.GenericAlias):
        inner = typing.get_args(kind)
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list, got {value!r}")
        if inner[-1] is not ... and len(value) != len(inner):
            raise ConfigError(f"{where} must have {len(inner)} entries, got {len(value)}")
        return tuple(_coerce(inner[0], item, where=where) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where} must be {kind.__name__}, got {value!r}")
    return value
