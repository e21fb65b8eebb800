"""One utterance through a closed grammar, and how sure it is that a sentence of it was said.

    decoder = CommandDecoder(model, network)
    ...
    decoder.finish()
    decoder.text, decoder.verdict

A closed grammar always finds its likeliest sentence, in a cough too. What tells a command
from anything else is how far the sentence stays behind the model's own free opinion: the best
phone of each emission, and the best sub-word unit. A sentence that is wrong in one word is right
everywhere else, so what counts most is where it is worst: over one word, and over half a second
wherever that lies. In noise everything is close behind everything, so it counts too how much
else the model heard: other phones, more of them, or some where the sentence is silent.
`Verdict` makes a probability of it all, and every word bears that as its confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamasr.core.commands.network import Network
from streamasr.core.decoder import DecodedWord
from streamasr.core.endpoint import Outlook
from streamasr.core.graph import Floats, GraphModel
from streamasr.core.graphdecoder import EARLY, GraphDecoder
from streamasr.core.pathsearch import word_spans
from streamasr.core.phones import ENTER, PHONES, SILENCE, STAY
from streamasr.core.readings import Path
from streamasr.core.rescore import ctc_log_probs

LOWEST = -12.0
"""Log-probabilities are not taken for less."""
STRETCH = 12
"""Emissions that sound, half a second: two syllables."""
MOST_AHEAD = 10
"""Phones that are likelier than the sentence's: more of them say no more."""
MISSPELT = -5.0
"""Evidence of spelling below this counts twice: hardly a sentence that was said is there, even in
noise, but most of what books sound like."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far a sentence stays behind what the model would say freely; 0 is not at all."""

    phones: float = LOWEST
    """Mean log ratio of the sentence's phone to the best one, where either is no silence."""
    worst: float = LOWEST
    """The same over the worst word."""
    stretch: float = LOWEST
    """The same over the worst `STRETCH` emissions that sound, one after the other."""
    units: float = LOWEST
    """Log probability of the spelling against the best units, for each unit."""
    length: int = 0
    """Emissions that are no silence."""
    differs: float = 1.0
    """Share of those in which another phone is likelier than the sentence's."""
    ahead: float = MOST_AHEAD
    """Phones that are likelier than the sentence's where that sounds, on average; no more
    than `MOST_AHEAD` count."""
    miscount: float = 1.0
    """By how much the phones that are heard freely are more or fewer, as a share."""
    beside: int = 0
    """Emissions that sound where the sentence is silent."""

    def row(self) -> NDArray[np.float64]:
        """The numbers that a verdict weighs."""
        length = math.log(max(1, self.length))
        return np.array([
            self.phones, self.worst, self.stretch, self.units, length,
            self.differs, self.ahead, self.miscount, self.beside,
            min(0.0, self.units - MISSPELT),
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """A logistic model of a sentence's having been said; fitted by bench/commands.py."""

    bias: float = 3.229
    weights: tuple[float, ...] = (
        -0.299, 0.514, 1.144, 0.131, 0.394, 4.095, -0.714, -1.389, 0.061, 0.686
    )  # fmt: skip

    def confidence(self, evidence: Evidence) -> float:
        """0..1"""
        return self.weigh(evidence.row())

    def weigh(self, row: Sequence[float] | NDArray[np.float64]) -> float:
        """The same of the numbers of `Evidence.row`."""
        score = self.bias + float(np.dot(row, self.weights))
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))


class CommandDecoder(GraphDecoder):
    """Decodes one utterance by a closed grammar; see `core.decoder.Decoder`."""

    def __init__(
        self, model: GraphModel, network: Network | None = None, verdict: Verdict | None = None
    ) -> None:
        """Without the network of the grammar the outlook is always open."""
        super().__init__(model)
        self._network = network
        self._verdict = verdict or Verdict()

    def _settle(self, chosen: Path | None, latest: int) -> None:
        """Nothing is settled early: a sentence is judged as a whole, and is short."""

    @property
    def outlook(self) -> Outlook:
        """Of the likeliest beginning, in silence that lasts."""
        if self._network is None or self.quiet < EARLY:
            return "open"
        said = self._search.words(self._search.emissions)
        return self._network.outlook([self._word(output) for output in said])

    def words(self) -> tuple[DecodedWord, ...]:
        words = super().words()
        if self._chosen is None or not words:
            return words
        return tuple(replace(word, confidence=self.confidence) for word in words)

    @cached_property
    def confidence(self) -> float:
        """Of the sentence; once it is finished."""
        return self._verdict.confidence(self.weighed)

    @cached_property
    def weighed(self) -> Evidence:
        """What speaks for the sentence and against it; once it is finished."""
        if self._chosen is None:
            return Evidence()
        labels = np.array(self._chosen.labels)
        log_probs = self._heard.phones()[: len(labels)].astype(np.float32)
        path = (labels - STAY) % len(PHONES)
        best = log_probs.argmax(axis=1)
        rows = np.arange(len(path))
        behind = np.maximum(log_probs[rows, path] - log_probs[rows, best], LOWEST)
        said = path != SILENCE
        sounds = said | (best != SILENCE)
        if not said.any() or not self.text:
            return Evidence()
        spans = word_spans(self._chosen.labels)
        phones = int(((labels >= ENTER) & said).sum())
        heard = int((np.diff(best, prepend=SILENCE) != 0)[best != SILENCE].sum())
        ahead = (log_probs[said] > log_probs[rows, path][said, None]).sum(axis=1)
        return Evidence(
            phones=float(behind[sounds].mean()),
            worst=min(float(behind[slice(*span)].mean()) for span in spans),
            stretch=_worst_stretch(behind[sounds]),
            units=self._spelt(len(path)),
            length=int(sounds.sum()),
            differs=float((path != best)[sounds].mean()),
            ahead=float(np.minimum(ahead, MOST_AHEAD).mean()),
            miscount=abs(heard - phones) / max(1, phones),
            beside=int((~said & sounds).sum()),
        )

    def _spelt(self, emissions: int) -> float:
        """Log probability of the text's units against the best ones, for each unit."""
        speller = self._model.speller
        if speller is None:
            return 0.0
        target = [unit for word in self.text.split() for unit in speller.spell(word)]
        units: Floats = self._heard.units(emissions)
        if not target or not len(units):
            return LOWEST
        said = float(ctc_log_probs(units, [target])[0])
        freely = float(units.max(axis=1).sum())
        return max(LOWEST, (said - freely) / len(target))


def _worst_stretch(behind: Floats) -> float:
    """The lowest mean of `STRETCH` numbers in a row, or of all where there are fewer."""
    size = min(STRETCH, len(behind))
    return float(np.convolve(behind, np.full(size, 1 / size), "valid").min())
