"""What a training run begins with: its device, its units and the weights it starts from."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from streamasr.app.train import checkpoint
from streamasr.app.train.config import Recipe
from streamasr.app.train.examples import Corpus
from streamasr.app.train.inventory import Tokeniser, learn_pieces, read_sentences
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import PIECES_FILE, load
from streamasr.edge.weights import read_weights
from streamasr.errors import BundleError, ConfigError

log = logging.getLogger(__name__)

SPELLING = ("speller.", "writer.", "unit_")
"""Beginnings of the names of weights that belong to the units."""


def load_start(model: AcousticModel, folder: Path) -> None:
    """Begin with the weights of a model or run folder.

    What spells begins anew where it has another shape. Raises ConfigError where what listens
    does not fit.
    """
    epochs = checkpoint.epoch_files(folder)
    file = epochs[-1] if epochs else load(folder).weights_file
    weights, own = read_weights(file), model.state_dict()
    for part in SPELLING:
        names = {name for name in own if name.startswith(part)}
        if any(name not in weights or weights[name].shape != own[name].shape for name in names):
            log.info("%s of another shape than that of %s begins anew", part.rstrip("._"), folder)
            weights |= {name: own[name] for name in names}
    unused = {n for n in weights if n.startswith(SPELLING) and n not in own}
    weights = {name: weight for name, weight in weights.items() if name not in unused}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"[model] is not the network of {folder}: {error}") from None


def open_tokeniser(recipe: Recipe, data: Path, out: Path, corpus: Corpus) -> Tokeniser:
    """The run's own units, those of what it starts from where as many, or newly learnt ones."""
    file = out / PIECES_FILE
    if not file.is_file():
        file.write_bytes(_pieces(recipe, data, corpus))
    return Tokeniser(file.read_bytes())


def _pieces(recipe: Recipe, data: Path, corpus: Corpus) -> bytes:
    if recipe.train.start:
        start = Path(recipe.train.start) / PIECES_FILE
        if not start.is_file():
            raise BundleError(f"{start.parent} has no {PIECES_FILE}", remedy="export it again")
        pieces = start.read_bytes()
        if len(Tokeniser(pieces).units) == recipe.model.units or not recipe.units.text:
            return pieces
    sentences = list(corpus.texts)
    for name in recipe.units.text:
        sentences += list(read_sentences(data / name))[: recipe.units.max_sentences]
    return learn_pieces(sentences, recipe.model.units)


def find_device(name: str) -> str:
    """What "auto" means here; raises ConfigError for what is no device."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"train.device is {name!r}", remedy="auto, cpu or cuda")
    return name
