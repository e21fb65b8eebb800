"""The search graph as arrays, and the dials of the search over it.

The graph is what pronunciations and an n-gram make together (`edge.lm.graph` builds it). Its
*roots* are the histories of the n-gram, numbered first, the empty one as 0. Every other
state is one phone that sounds, of a word or of a pause, for as long as it lasts. Arcs lead
into sounding states and take an emission each; *ends* lead back to a root and take none;
from a root one such step leads on to the root of the shorter history.

Nothing is said of labels: the phone of an arc is that of its goal, a word begins where an
arc leaves a root, and staying in a state needs no arc. Costs are negative natural
logarithms. The arrays may be mapped from a file, for nothing here writes to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.phones import PHONES, SILENCE
from streamasr.core.units import Speller
from streamasr.errors import ConfigError

Floats = NDArray[np.float32]

NO_PHONE = 255
"""The phone of a root."""


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
    beam: float = 12.0
    max_active: int = 3000
    lattice_beam: float = 6.0
    """Readings whose cost is within this of the best are kept for the last choice."""
    candidates: int = 50
    """Readings that the last choice looks at."""
    unit_weight: float = 0.6
    """Of the sub-word head's log-probability against the cost of a reading; 0 for none."""
    settle: int = 1
    """Emissions that a word must lie back before it may be shown,"""
    doubt: float = 1.0
    """and all readings within this cost of the best must agree on it,"""
    patience: int = 15
    """unless it lies back so many emissions."""

    def __post_init__(self) -> None:
        for name in ("acoustic_scale", "beam", "max_active", "lattice_beam", "candidates"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")


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
    """States, arcs and words; read only."""

    phones: NDArray[np.uint8]
    """The phone of each state, `NO_PHONE` for roots, which come first."""
    firsts: NDArray[np.uint32]
    """[states + 1]: where the arcs of each state begin."""
    goals: NDArray[np.int32]
    costs: Floats
    outputs: NDArray[np.int32]
    """Of an arc, the word that it says, or 0; word n of ``words`` is n."""
    end_firsts: NDArray[np.uint32]
    """[states - roots + 1]: where the ends of each state that sounds begin."""
    end_goals: NDArray[np.int32]
    end_costs: Floats
    end_outputs: NDArray[np.int32]
    shorter: NDArray[np.int32]
    """[roots]: the root of the shorter history; of the empty one its own."""
    shorter_costs: Floats
    finals: Floats
    """[roots]: cost of ending there."""
    start: int
    text: NDArray[np.uint8] = field(repr=False)
    """All words as UTF-8, one after the other."""
    text_firsts: NDArray[np.uint32] = field(repr=False)
    """[words + 1]: where each word begins in ``text``."""

    @property
    def roots(self) -> int:
        return len(self.finals)

    @property
    def arcs(self) -> int:
        return len(self.goals) + len(self.end_goals) + self.roots

    def word(self, output: int) -> str:
        begin, end = self.text_firsts[output - 1 : output + 1].tolist()
        return bytes(self.text[begin:end]).decode()


def _no_lexicon(words: Sequence[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
    return {}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class GraphModel:
    """What all graph decoders of one model share."""

    graph: SearchGraph
    log_priors: Floats
    """Of the phones, float32 [phones]."""
    speller: Speller | None = None
    """Spells words in units for the last choice, which is not made without it."""
    pronounce: Callable[[Sequence[str]], Mapping[str, Sequence[tuple[str, ...]]]] = _no_lexicon
    """Looks up how words are said; those that are not known are left out."""
    delay: float = 1.5
    """Emissions by which a phone's emission trails the phone."""
    options: SearchOptions = field(default_factory=SearchOptions)
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        if self.log_priors.shape != (len(PHONES),):
            raise ConfigError(f"the graph needs {len(PHONES)} log priors of phones")

    def scores(self, log_probs: NDArray[Any]) -> Floats:
        """Scaled log likelihoods [emissions, phones] of log posteriors."""
        scaled = np.asarray(log_probs, np.float32) - np.float32(self.options.prior_scale) * (
            self.log_priors.astype(np.float32)
        )
        scaled *= np.float32(self.options.acoustic_scale)
        scaled[:, SILENCE] -= np.float32(self.options.silence_cost)
        return scaled


def pack_words(words: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """``text`` and ``text_firsts`` of words."""
    encoded = [word.encode() for word in words]
    firsts = np.zeros(len(words) + 1, np.uint32)
    firsts[1:] = np.cumsum([len(word) for word in encoded])
    return np.frombuffer(b"".join(encoded), np.uint8), firsts
