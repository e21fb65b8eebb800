"""A search graph and what a path through it says: words, times and confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import ENTER, LABELS, PHONES, SILENCE, START_WORD, STAY
from streamasr.errors import ConfigError, MissingExtra

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Scales and costs of the search; costs are negative natural logarithms."""

    acoustic_scale: float = 0.8
    prior_scale: float = 0.35
    """How much of the phones' log prior is taken off their log posterior."""
    phone_cost: float = -1.0
    """For each phone that begins; negative because staying in one is too cheap."""
    word_cost: float = 1.0
    """For each word that begins."""
    silence_cost: float = 0.0
    """For each emission of silence."""
    beam: float = 13.0
    max_active: int = 3000
    settle: int = 12
    """Emissions that a word must lie back before it counts as stable."""

    def __post_init__(self) -> None:
        if self.acoustic_scale <= 0 or self.beam <= 0 or self.max_active < 1:
            raise ConfigError("acoustic_scale, beam and max_active must be positive")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model of a word's being right: weights of what its path shows."""

    bias: float = 2.35
    posterior: float = 0.64
    """Mean log posterior of the word's phones over its emissions."""
    worst: float = 0.23
    """The same of its worst phone."""
    length: float = -0.022
    """Its emissions."""

    def confidence(self, posterior: float, worst: float, length: int) -> float:
        score = self.bias + self.posterior * posterior
        score += self.worst * worst + self.length * min(length, 25)
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))


@dataclass(frozen=True, slots=True, eq=False)
class SearchGraph:
    """What all decoders of one model share."""

    fst: Any = field(repr=False)
    """kaldifst.StdConstFst over the labels of `core.phones`."""
    words: tuple[str, ...] = field(repr=False)
    """Output label n stands for word n - 1."""
    log_priors: Floats = field(repr=False)
    """Of the phones, float32 [phones]."""
    delay: float = 1.5
    """Emissions by which a phone's emission trails the phone."""
    options: SearchOptions = field(default_factory=SearchOptions)
    calibration: Calibration = field(default_factory=Calibration)

    def scores(self, log_probs: Floats) -> Floats:
        """Scaled likelihoods [emissions, LABELS] of log posteriors [emissions, phones].

        The costs of phones and words lie in them, so changing those needs no new graph.
        """
        options = self.options
        scaled = log_probs - options.prior_scale * self.log_priors
        scaled *= options.acoustic_scale
        scaled[:, SILENCE] -= options.silence_cost
        scores = np.empty((len(log_probs), LABELS), np.float32)
        count = len(PHONES)
        scores[:, STAY - 1 : STAY - 1 + count] = scaled
        scores[:, ENTER - 1 : ENTER - 1 + count] = scaled - options.phone_cost
        scores[:, START_WORD - 1 :] = scaled - options.phone_cost - options.word_cost
        return scores

    def word(
        self, output: int, span: tuple[int, int], labels: Sequence[int], heard: Floats
    ) -> GraphWord:
        """The word ``output`` of a path whose ``labels`` in ``span`` are its own.

        ``heard`` are the log posteriors [emissions, phones] of the whole path.
        """
        start, end = span
        path = np.asarray(labels[start:end]) - 1
        posteriors = heard[np.arange(start, end), path % len(PHONES)]
        phones = np.cumsum(path >= ENTER - 1) - 1
        means = np.bincount(phones, posteriors) / np.bincount(phones)
        confidence = self.calibration.confidence(
            float(posteriors.mean()), float(means.min()), end - start
        )
        return GraphWord(
            self.words[output - 1],
            max(0.0, start - self.delay),
            max(0.0, end - self.delay),
            confidence,
        )


@dataclass(frozen=True, slots=True)
class GraphWord:
    """One word of a reading; times count emissions and are corrected for the delay."""

    text: str
    start: float
    end: float
    confidence: float


def word_spans(labels: Sequence[int]) -> list[tuple[int, int]]:
    """First and past-last emission of each word of a path of input labels."""
    spans: list[tuple[int, int]] = []
    begun = -1
    for at, label in enumerate(labels):
        is_start = label >= START_WORD
        if (is_start or label == ENTER + SILENCE) and begun >= 0:
            spans.append((begun, at))
            begun = -1
        if is_start:
            begun = at
    if begun >= 0:
        spans.append((begun, len(labels)))
    return spans


def silence_run(labels: Sequence[int]) -> int:
    """Emissions of silence that end a path of input labels."""
    for run, label in enumerate(reversed(labels)):
        if label not in (STAY + SILENCE, ENTER + SILENCE):
            return run
    return len(labels)


def import_kaldi() -> tuple[Any, Any]:
    """The modules kaldi_decoder and kaldifst."""
    try:
        import kaldi_decoder
        import kaldifst
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "kaldi-decoder", "graph") from None
    return kaldi_decoder, kaldifst
