"""What a caller may choose for a stream, and the gate and the decoders that follow from it.

StreamOptions(endpoint_ms=700, decoder="greedy")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from streamasr.core.decoder import Decoder, GreedyDecoder
from streamasr.core.endpoint import Outlook
from streamasr.core.graph import GraphModel
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.hotwords import HotWords
from streamasr.core.model import ModelFacts
from streamasr.core.scribe import Scribe
from streamasr.core.vad import Gate, OpenGate, VadGate, WebRtcVad
from streamasr.errors import ConfigError

DecoderName = Literal["auto", "greedy", "graph"]
MOST_ALTERNATIVES = 20
DECODERS: tuple[DecoderName, ...] = ("auto", "greedy", "graph")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a caller may choose for a stream; ConfigError for what cannot be."""

    endpoint_ms: int = 400
    """Silence after speech that ends an utterance."""
    max_utterance_s: float = 30.0
    trailing_blank_ms: int = 1200
    """Blanks after text that end an utterance while the gate stays open."""
    unfinished_ms: int | None = None
    """Silence or blanks after a sentence that a closed grammar cannot let end here,"""
    over_ms: int | None = None
    """and blanks after one that nothing can follow; None for no difference."""
    vad: bool = True
    """Without the gate everything is decoded, silence too."""
    vad_mode: int = 3
    """0 lets most pass as speech, 3 least."""
    preroll_ms: int = 300
    """Audio decoded from before the speech that opened the gate."""
    partials: bool = True
    words: bool = True
    partial_words: bool = True
    """Place the words of partials too."""
    presence: bool = True
    """Tell no words of an utterance in which the model is sure of no speech."""
    decoder: DecoderName = "auto"
    """``auto`` is the graph where one is loaded."""
    hotwords: HotWords | None = None
    """For the graph decoder; see `core.hotwords.heat`."""
    grammar: GraphModel | None = None
    """Only what this closed grammar allows is heard, whatever ``decoder`` says; see
    `edge.lm.grammar.grammar_model`."""
    new_decoder: Callable[[], Decoder] | None = None
    """Makes the decoder of each utterance, in place of all that is said above."""
    alternatives: int = 0
    """Other texts to tell with a final, at most; the greedy decoder has none."""
    punctuate: bool = False
    """Tell each final with marks and capitals too."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "endpoint_ms": (120, 10_000),
            "max_utterance_s": (1, 300),
            "trailing_blank_ms": (200, 60_000),
            "unfinished_ms": (200, 60_000),
            "over_ms": (200, 60_000),
            "vad_mode": (0, 3),
            "preroll_ms": (0, 2_000),
            "alternatives": (0, MOST_ALTERNATIVES),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} must lie in {low}..{high}, got {value}")
        decoder_name(self.decoder)

    def gate(self) -> Gate:
        if not self.vad:
            return OpenGate()
        return VadGate(
            WebRtcVad(self.vad_mode), endpoint_ms=self.endpoint_ms,
            most_ms=self.unfinished_ms or 0, preroll_ms=self.preroll_ms,
        )  # fmt: skip

    @property
    def blank_ms(self) -> dict[Outlook, int]:
        """Blanks after text that end an utterance, by what may follow."""
        usual = self.trailing_blank_ms
        return {
            "open": usual,
            "unfinished": usual if self.unfinished_ms is None else self.unfinished_ms,
            "over": usual if self.over_ms is None else self.over_ms,
        }

    def scribe(self, facts: ModelFacts) -> Scribe | None:
        """What writes the finals, where that is wanted; ConfigError where nothing can."""
        if not self.punctuate:
            return None
        if facts.punctuator is None:
            raise ConfigError(
                f"no punctuation model for {facts.name}", remedy="leave punctuation off"
            )
        return Scribe(facts.punctuator)

    def decoder_maker(self, facts: ModelFacts) -> Callable[[], Decoder]:
        """What makes the decoder of each utterance; ConfigError as for `decoder_used`."""
        if self.new_decoder is not None:
            return self.new_decoder
        if self.grammar is not None:
            return partial(GraphDecoder, self.grammar, others=self.alternatives)
        if decoder_used(facts, self.decoder) == "graph" and facts.graph is not None:
            return partial(GraphDecoder, facts.graph, self.hotwords, others=self.alternatives)
        return partial(
            GreedyDecoder, facts.units, facts.blank, facts.unit_stretch, facts.proofreader
        )


def decoder_name(text: str) -> DecoderName:
    """A text as the name of a decoder; raises ConfigError where it is none."""
    for name in DECODERS:
        if name == text:
            return name
    raise ConfigError(f"decoder must be one of {', '.join(DECODERS)}, got {text}")


def decoder_used(facts: ModelFacts, name: DecoderName) -> DecoderName:
    """What ``auto`` means for a model; raises ConfigError for a graph that is not loaded."""
    if name == "auto":
        return "greedy" if facts.graph is None else "graph"
    if name == "graph" and facts.graph is None:
        raise ConfigError(
            f"the graph decoder has no language model loaded for {facts.name}",
            remedy="use a model with a language model, or --decoder greedy",
        )
    return name
