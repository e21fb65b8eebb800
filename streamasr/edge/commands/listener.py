"""Audio in, intents out: one stream that hears commands, with or without a wake phrase.

    listener = CommandListener(engine, grammar)
    for samples in blocks:
        for heard in listener.accept(samples):
            ...                      # Woke | Guessed | Understood | Rejected
    listener.finish()

With a wake phrase only what follows it is heard: in the same breath, or within `AWAKE_S` of
it. The phrase is found in the phones of the model, or in the sound by a word classifier, which
listens while the gate is open. What it listens for may change: from the next utterance on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from streamasr.core.commands.decoder import CommandDecoder
from streamasr.core.commands.wake import Spotter
from streamasr.core.commands.waking import WakingDecoder
from streamasr.core.commands.words import STEP, WordSpotter
from streamasr.core.decoder import Decoder
from streamasr.core.events import Event, Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer, Samples
from streamasr.edge.commands.grammar import CommandGrammar, Guess

LIVE = StreamOptions(
    endpoint_ms=700, unfinished_ms=1200, trailing_blank_ms=520, over_ms=280, max_utterance_s=15.0
)
"""People pause within an order, but after one that nothing can follow nobody has to wait."""
AWAKE_S = 6.0
"""After the wake phrase, until somebody speaks."""
DEFAULT_THRESHOLD = 0.65
"""Sentences that are less sure are rejected; bench/results/commands.jsonl."""


@dataclass(frozen=True, slots=True)
class Woke:
    """The wake phrase was said; positions are samples at 16 kHz."""

    at: int
    score: float


@dataclass(frozen=True, slots=True)
class Guessed:
    """What is being said may become this; it can still change."""

    guess: Guess
    text: str


@dataclass(frozen=True, slots=True)
class Understood:
    """A sentence was said."""

    intent: str
    slots: Mapping[str, Any]
    text: str
    confidence: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something was said that is no sentence, or not surely one."""

    text: str
    """The nearest sentence."""
    confidence: float
    start: int
    end: int


Heard = Woke | Guessed | Understood | Rejected


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """What listeners listen for."""

    grammar: CommandGrammar
    threshold: float = DEFAULT_THRESHOLD
    """Of confidences; sentences below it are rejected."""
    new_spotter: Callable[[], Spotter | WordSpotter | None] = lambda: None
    """Makes what wakes, for one listener; None where nothing has to."""
    phrase: str = ""
    """What wakes, for people."""


@dataclass(slots=True)
class _Utterance:
    """What an utterance is heard with; changes come later."""

    grammar: CommandGrammar
    threshold: float
    waking: WakingDecoder | None = None
    told_wake: int | None = None
    """Where the wake phrase ended that was told."""
    guess: Guess | None = None

    @property
    def was_obeyed(self) -> bool:
        """Whether it was an order, once it is over."""
        words = () if self.waking is None else self.waking.words()
        intent = self.grammar.understand(" ".join(word.text for word in words))
        return intent is not None and words[0].confidence >= self.threshold


class CommandListener:
    """One stream of audio."""

    def __init__(
        self,
        engine: Engine,
        grammar: CommandGrammar,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        spotter: Spotter | WordSpotter | None = None,
        partials: bool = False,
        options: StreamOptions = LIVE,
    ) -> None:
        """``options`` say where an utterance ends."""
        self.change(grammar, threshold=threshold, spotter=spotter)
        self._hop = engine.facts.emission_samples
        self._awake_until = 0  # samples; utterances that begin before it are commands
        self._begun: deque[_Utterance] = deque()  # of which nothing was told yet
        self._told = _Utterance(grammar, threshold)  # the one that is told of
        self._open: _Utterance | None = None  # the one that is heard
        self._origin = 0
        self._stream = Recognizer(engine).stream(
            replace(options, partials=partials, new_decoder=self._new_decoder)
        )

    def change(
        self,
        grammar: CommandGrammar,
        *,
        threshold: float,
        spotter: Spotter | WordSpotter | None,
    ) -> None:
        """Listen for something else from the next utterance on."""
        self._grammar = grammar
        self._threshold = threshold
        self._sleeps = spotter is not None
        self._spotter = spotter if isinstance(spotter, Spotter) else None
        self._words = spotter if isinstance(spotter, WordSpotter) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the stream."""
        self._stream.close()

    def accept(self, samples: Samples) -> list[Heard]:
        """Take audio: float32 [n] at 16 kHz in -1..1, any n."""
        if self._words is None:
            return self._tell(self._stream.accept(samples))
        told: list[Heard] = []
        for start in range(0, len(samples), STEP):
            block = samples[start : start + STEP]
            told += self._tell(self._stream.accept(block))
            told += self._spot(self._words, np.asarray(block, np.float32))
        return told

    def gap(self, samples: int) -> list[Heard]:
        """Account for lost audio."""
        if self._words is not None:
            self._words.reset()
        return self._tell(self._stream.gap(samples))

    def flush(self) -> list[Heard]:
        """End the open utterance."""
        return self._tell(self._stream.flush())

    def finish(self) -> list[Heard]:
        """End the open utterance and take no more audio."""
        return self._tell(self._stream.finish())

    def _spot(self, words: WordSpotter, block: Samples) -> list[Heard]:
        """Listen for words in the sound; they wake the utterance that is open."""
        waking = None if self._open is None else self._open.waking
        spotted = words.push(block, is_open=waking is not None)
        if waking is None or not spotted:
            return []
        waking.wake(spotted[-1].score)
        return self._wake()

    def _new_decoder(self) -> Decoder:
        if self._open is not None and self._open.was_obeyed:
            self._awake_until = 0
        grammar = self._grammar
        self._open = utterance = _Utterance(grammar, self._threshold)
        self._begun.append(utterance)
        if not self._sleeps:
            return CommandDecoder(grammar.model, grammar.network)
        is_awake = self._stream.position <= self._awake_until
        utterance.waking = WakingDecoder(
            self._spotter,
            lambda: CommandDecoder(grammar.model, grammar.network),
            is_awake=is_awake,
        )
        return utterance.waking

    def _tell(self, events: Iterable[Event]) -> list[Heard]:
        told: list[Heard] = []
        for event in events:
            told += self._wake()
            match event:
                case SpeechStarted(at=at):
                    self._origin = at
                    self._told = self._begun.popleft()
                case Partial(text=text):
                    told += self._begin(text)
                case Final():
                    told.append(self._end(event))
                case SpeechEnded():
                    if self._open is self._told:
                        self._open = None
                case _:
                    pass
        return told + self._wake()

    def _wake(self) -> list[Heard]:
        waking = self._told.waking
        if waking is None or waking.woke_at is None or waking.woke_at == self._told.told_wake:
            return []
        self._told.told_wake = waking.woke_at
        at = min(self._origin + waking.woke_at * self._hop, self._stream.position)
        self._awake_until = self._stream.position + round(AWAKE_S * SAMPLE_RATE)
        return [Woke(at, waking.score)]

    def _begin(self, text: str) -> list[Heard]:
        guess = self._told.grammar.begin(text)
        if guess is None or guess == self._told.guess:
            return []
        self._told.guess = guess
        return [Guessed(guess, text)]

    def _end(self, final: Final) -> Understood | Rejected:
        intent = self._told.grammar.understand(final.text)
        if intent is None or final.confidence < self._told.threshold:
            return Rejected(final.text, final.confidence, final.start, final.end)
        self._awake_until = 0
        return Understood(
            intent.name, intent.slots, final.text, final.confidence, final.start, final.end
        )
