"""From a run to a bundle: the network as one graph from samples to words."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from safetensors.torch import load_file

from streamasr.app.train.classify.cutting import read_window
from streamasr.app.train.classify.networks import WordNetwork
from streamasr.app.train.classify.recipe import WordRecipe, parse_recipe
from streamasr.app.train.classify.run import BEST_FILE, LABELS_FILE, RECIPE_FILE, RESULTS_FILE
from streamasr.core.commands.words import THRESHOLD, Floats
from streamasr.core.features import HOP, SAMPLE_RATE
from streamasr.edge import bundle
from streamasr.edge.weights import write_weights
from streamasr.edge.words import FORMAT, WordClassifier, load_words
from streamasr.errors import BundleError, ConfigError

OPSET = 17
TOLERANCE = 2e-3
"""Largest difference of a probability between the graph and torch."""
NOISES = 8
"""Windows of noise, from loud to silent, on which both are compared beside speech."""


def is_word_run(run: Path) -> bool:
    """Whether a folder holds a run of a word classifier."""
    return (run / RECIPE_FILE).is_file()


def read_run(run: Path) -> tuple[WordRecipe, WordNetwork, tuple[str, ...]]:
    """Rebuild the network of a run at its best epoch, and its labels."""
    missing = [n for n in (RECIPE_FILE, LABELS_FILE, BEST_FILE) if not (run / n).is_file()]
    if missing:
        raise ConfigError(f"{run} is no run of a word classifier: it has no {missing[0]}")
    file = run / RECIPE_FILE
    recipe = parse_recipe(json.loads(file.read_text()), where=str(file))
    labels = tuple((run / LABELS_FILE).read_text().splitlines())
    network = WordNetwork(recipe.window, recipe.network, len(labels))
    network.load_state_dict(load_file(run / BEST_FILE))
    return recipe, network.eval(), labels


def export_words(run: Path, out: Path, *, audio: Sequence[Path] = ()) -> float:
    """Write the folder ``out``; the largest difference of a probability to torch.

    ``audio`` is compared on beside noise. Raises BundleError, and writes nothing, where ONNX and
    torch disagree; a card that lay there stays.
    """
    recipe, network, labels = read_run(run)
    window = recipe.window.samples(recipe.window.frames)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_weights(weights, partial / bundle.WEIGHTS_FILE)
    write_graph(network, window, partial / bundle.ONNX_FILE)
    results = json.loads((run / RESULTS_FILE).read_text()) if (run / RESULTS_FILE).is_file() else {}
    facts = describe(recipe, out.name, labels, window, results)
    facts["checksums"] = {
        part: bundle.checksum(partial / part) for part in (bundle.ONNX_FILE, bundle.WEIGHTS_FILE)
    }
    (partial / bundle.FACTS_FILE).write_text(tomli_w.dumps(facts), encoding="utf-8")
    difference = compare(network, WordClassifier(load_words(partial)), windows(audio, window))
    if not difference <= TOLERANCE:
        shutil.rmtree(partial)
        raise BundleError(
            f"the ONNX graph and torch differ by {difference:.4f}, allowed is {TOLERANCE}"
        )
    card = out / bundle.CARD_FILE
    if card.is_file():
        shutil.copy(card, partial / bundle.CARD_FILE)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return difference


def write_graph(network: WordNetwork, window: int, file: Path) -> None:
    """Trace the network for any number of windows."""
    with warnings.catch_warnings():
        # the exporter that replaces this one needs two more packages and a minute a network
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, window),),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["samples"],
            output_names=["words"],
            dynamic_axes={"samples": {0: "batch"}, "words": {0: "batch"}},
        )


def windows(audio: Sequence[Path], window: int) -> Floats:
    """Windows [count, window] to compare on: recordings, and noise from loud to silent."""
    rng = np.random.default_rng(0)
    levels = 10.0 ** -np.arange(NOISES, dtype=np.float32)[:, None]
    noise = (rng.standard_normal((NOISES, window)) * levels * 0.3).astype(np.float32)
    return np.stack([*noise, *(read_window(file, window) for file in audio)])


def compare(network: WordNetwork, classifier: WordClassifier, some: Floats) -> float:
    """The largest difference of a probability over windows [count, window]."""
    with torch.inference_mode():
        expected = network(torch.from_numpy(some)).exp().numpy()
    return float(np.abs(np.exp(classifier(some)) - expected).max())


def describe(
    recipe: WordRecipe,
    name: str,
    labels: Sequence[str],
    window: int,
    results: dict[str, Any],
) -> dict[str, Any]:
    """The contents of bundle.toml, but for its checksums."""
    measured = {
        part: {key: results[part][key] for key in ("examples", "accuracy", "precision", "recall")}
        for part in ("held_out", "test")
        if part in results
    }
    return {
        "format": FORMAT,
        "kind": bundle.WORDS,
        "name": name,
        "created": date.today().isoformat(),
        "words": {"labels": list(labels), "window": window, "threshold": THRESHOLD},
        "audio": {"sample_rate": SAMPLE_RATE, "hop": HOP},
        "model": {
            "network": recipe.network.kind,
            "width": recipe.network.width,
            "layers": recipe.network.layers,
            "features": recipe.window.features,
            "size": recipe.window.size,
            "parameters": results.get("parameters", 0),
        },
        "training": {
            "train": list(recipe.data.train), "others": list(recipe.data.others),
            "epochs": results.get("epochs", 0), "seconds": results.get("seconds", 0.0),
        },
        "results": measured,
    }  # fmt: skip
