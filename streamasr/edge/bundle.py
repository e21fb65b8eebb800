"""Model bundles: a folder with everything a model is, checked when it is loaded.

bundle.toml          facts: shape, rates, latency, checksums, measured results
units.txt            one unit a line, blank first
model.onnx           one step of the network, what the CPU engine runs; its weights lie in
weights.safetensors  what the torch engine runs and fine-tuning starts from (`edge.external`)
pieces.model         the sentencepiece model behind the units: training alone reads it
lm/lm.arpa.xz        an n-gram, and
lm/lexicon.txt.xz    how its words are said: for the graph decoder, where they are there
CARD.md              data, licences, results, limits
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from streamasr.core.features import HOP, SAMPLE_RATE
from streamasr.core.model import ModelConfig, ModelFacts
from streamasr.core.units import Units
from streamasr.edge import external
from streamasr.edge.folders import data_folder
from streamasr.errors import BundleError, ConfigError

DEFAULT_MODEL = "en-small"
FACTS_FILE = "bundle.toml"
UNITS_FILE = "units.txt"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
PIECES_FILE = "pieces.model"
CARD_FILE = "CARD.md"
ARPA_FILE = "lm/lm.arpa.xz"
LEXICON_FILE = "lm/lexicon.txt.xz"
WORDS = "words"
"""The ``kind`` of a bundle that is no recogniser but a word classifier (`edge.words`)."""
FORMAT = 3
"""Counts up where what a program must know of the network or its files changes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded, checked model folder."""

    path: Path
    facts: ModelFacts
    config: ModelConfig
    info: dict[str, Any]
    """The whole of bundle.toml."""

    @property
    def onnx_file(self) -> Path:
        return self.path / ONNX_FILE

    @property
    def weights_file(self) -> Path:
        return self.path / WEIGHTS_FILE

    @property
    def phone_delay_ms(self) -> float:
        """How long after a phone its emission stands."""
        return float(self.info["decode"].get("phone_delay_ms", 60.0))

    @property
    def has_language_model(self) -> bool:
        """Whether the graph decoder can be used."""
        return "graph" in self.info

    def resolve_decoder(self, decoder: str) -> Literal["greedy", "graph"]:
        """Which decoder "auto", "greedy" or "graph" means for this bundle."""
        wants_graph = decoder == "graph" or (decoder == "auto" and self.has_language_model)
        return "graph" if wants_graph else "greedy"


def search_path() -> Iterator[Path]:
    """Folders that hold bundles, first match wins: here, the user's, the shipped."""
    yield Path("models")
    yield user_models()
    package = Path(str(resources.files("streamasr")))
    yield package / "models"
    yield package.parent / "models"


def user_models() -> Path:
    """Where a user's own models are."""
    return data_folder() / "models"


def available() -> list[Path]:
    """Every bundle on the search path, each name once."""
    found: dict[str, Path] = {}
    for folder in search_path():
        for facts in sorted(folder.glob(f"*/{FACTS_FILE}")):
            found.setdefault(facts.parent.name, facts.parent)
    return list(found.values())


def find(name: str | None = None) -> Path:
    """Resolve a model's name or folder; raises BundleError that lists what there is."""
    if name is not None and (os.sep in name or Path(name, FACTS_FILE).is_file()):
        return Path(name)
    wanted = name or DEFAULT_MODEL
    for folder in search_path():
        if (folder / wanted / FACTS_FILE).is_file():
            return folder / wanted
    known = ", ".join(p.name for p in available()) or "none"
    raise BundleError(f"no model named {wanted!r}", remedy=f"available: {known}")


def load(path: Path) -> Bundle:
    """Read a bundle and check that its parts are there, unchanged, and agree."""
    info = _read_facts(path)
    for part, expected in info["checksums"].items():
        check_part(path / part, expected)
    external.check(path / ONNX_FILE, path / WEIGHTS_FILE)
    units = Units.parse((path / UNITS_FILE).read_text(encoding="utf-8"))
    try:
        config = ModelConfig.from_dict(info["model"])
    except (ConfigError, TypeError) as error:
        raise BundleError(f"{path / FACTS_FILE}: {error}") from None
    audio = info["audio"]
    if (audio["sample_rate"], audio["hop"]) != (SAMPLE_RATE, HOP):
        raise BundleError(
            f"{path.name} was made for {audio['sample_rate']} Hz and a hop of {audio['hop']}",
            remedy=f"this program runs models of {SAMPLE_RATE} Hz and a hop of {HOP}",
        )
    if len(units) != config.units:
        raise BundleError(
            f"{path.name}: {UNITS_FILE} has {len(units)} units, the network {config.units}"
        )
    facts = ModelFacts(
        name=info["name"],
        units=units,
        step_samples=config.step_samples,
        outputs_per_step=config.outputs_per_step,
        state_size=config.state_size,
        latency_ms=config.latency_ms,
        writes=config.writer_width > 0,
        unit_stretch=config.outputs_per_step // config.unit_outputs,
        tail_steps=info["decode"]["tail_steps"],
        presence=info["decode"].get("presence", 0.0),
    )
    return Bundle(path, facts, config, info)


def read_document(path: Path) -> dict[str, Any]:
    """bundle.toml as it is, of whatever kind; raises BundleError where it cannot be read."""
    file = path / FACTS_FILE
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"{path} is no model: it has no {FACTS_FILE}", remedy="see `streamasr models`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BundleError(f"cannot read {file}: {error}") from None


def _read_facts(path: Path) -> dict[str, Any]:
    file, info = path / FACTS_FILE, read_document(path)
    if info.get("kind") == WORDS:
        raise BundleError(
            f"{path.name} is a word classifier and writes no text",
            remedy="name it as `model` under [wake] of a file of commands",
        )
    missing = {"format", "name", "model", "audio", "decode", "checksums"} - set(info)
    if missing:
        raise BundleError(f"{file} lacks {', '.join(sorted(missing))}")
    absent = {ARPA_FILE, LEXICON_FILE} - set(info["checksums"])
    if "graph" in info and absent:
        raise BundleError(f"{file} has [graph] but no checksum of {', '.join(sorted(absent))}")
    if info["format"] != FORMAT:
        raise BundleError(
            f"{file} has format {info['format']}",
            remedy=f"this program reads format {FORMAT}: update it, or export the model again",
        )
    return info


def check_part(file: Path, expected: str) -> None:
    """Raise BundleError where a file is not there or has another checksum."""
    try:
        found = checksum(file)
    except OSError as error:
        raise BundleError(
            f"{file.parent.name}: cannot read {file.name}: {error.strerror}",
            remedy="install the model again",
        ) from None
    if found != expected:
        raise BundleError(
            f"{file.parent.name}: {file.name} is not the file that {FACTS_FILE} describes",
            remedy="install the model again, or export it again",
        )


def checksum(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
