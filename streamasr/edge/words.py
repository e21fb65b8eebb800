"""Bundles of word classifiers, and what runs them.

    classifier = WordClassifier(load_words(bundle.find("wake")))
    classifier(windows)                  # [batch, window] -> log-probabilities [batch, labels]

bundle.toml          facts: labels, window, threshold, checksums, measured results
model.onnx           a window to log-probabilities, features included
weights.safetensors  the same for torch
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamasr.core.commands.words import OTHER, Floats, WordSpotter
from streamasr.core.features import SAMPLE_RATE
from streamasr.edge import bundle
from streamasr.edge.inference import open_session
from streamasr.errors import BundleError

FORMAT = 1
"""Counts up where what a program must know of the network or its files changes."""


@dataclass(frozen=True, slots=True)
class WordBundle:
    """A loaded, checked folder of a word classifier."""

    path: Path
    labels: tuple[str, ...]
    window: int
    """Samples that the network looks at."""
    threshold: float
    """Probability of a word from which on a spotter takes it for said."""
    info: dict[str, Any]
    """The whole of bundle.toml."""

    @property
    def words(self) -> tuple[str, ...]:
        """The labels that are words."""
        return tuple(label for label in self.labels if label != OTHER)

    @property
    def rejects(self) -> bool:
        """Whether it learnt what is no word."""
        return OTHER in self.labels


def load_words(path: Path) -> WordBundle:
    """Read a bundle and check that its parts are there and unchanged; raises BundleError."""
    info = bundle.read_document(path)
    file = path / bundle.FACTS_FILE
    if info.get("kind") != bundle.WORDS:
        raise BundleError(
            f"{path.name} is no word classifier",
            remedy="make one with `streamasr train --task classify` and `streamasr export`",
        )
    if info.get("format") != FORMAT:
        raise BundleError(
            f"{file} has format {info.get('format')}",
            remedy=f"this program reads format {FORMAT}: update it, or export the model again",
        )
    try:
        words, rate = info["words"], info["audio"]["sample_rate"]
        labels, window = tuple(map(str, words["labels"])), int(words["window"])
        threshold, checksums = float(words["threshold"]), dict(info["checksums"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{file}: {error} is missing or no value") from None
    if rate != SAMPLE_RATE:
        raise BundleError(f"{path.name} was made for {rate} Hz, this program runs {SAMPLE_RATE}")
    for part in {bundle.ONNX_FILE, *checksums}:
        bundle.check_part(path / part, checksums.get(part, ""))
    return WordBundle(path, labels, window, threshold, info)


class WordClassifier:
    """Runs a bundle's model.onnx."""

    def __init__(self, words: WordBundle, *, threads: int = 1) -> None:
        self.bundle = words
        name = f"{words.path.name}: {bundle.ONNX_FILE}"
        self._session = open_session(words.path / bundle.ONNX_FILE, name=name, threads=threads)
        shapes = [
            v.shape[1:] for v in (self._session.get_inputs()[0], *self._session.get_outputs())
        ]
        if shapes != [[words.window], [len(words.labels)]]:
            raise BundleError(
                f"{words.path.name}: model.onnx goes from {shapes[0]} to {shapes[-1]}, "
                f"{bundle.FACTS_FILE} says {words.window} to {len(words.labels)}"
            )

    def __call__(self, windows: Floats) -> Floats:
        """Windows float32 [batch, window] -> log-probabilities [batch, labels]."""
        (found,) = self._session.run(None, {"samples": np.ascontiguousarray(windows, np.float32)})
        return np.asarray(found, np.float32)

    def spotter(self, words: tuple[str, ...] = (), threshold: float | None = None) -> WordSpotter:
        """A spotter of some words, or of all; raises ConfigError for unknown ones."""
        return WordSpotter(
            self,
            self.bundle.labels,
            window=self.bundle.window,
            words=words,
            threshold=self.bundle.threshold if threshold is None else threshold,
        )
