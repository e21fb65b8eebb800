"""Running text as the network hears it: with pauses, spoken marks, and misheard words.

passages(coded, batch=128, length=96, generator)     # yields Batch after Batch

The text is cut anew in every epoch, and every stretch of it has a speaker of its own: one who
pauses where sentences end, one who hesitates, one who never pauses, one who names the marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamasr.app.train.punctuation.text import UNKNOWN, Text
from streamasr.core.dictation.cardinals import SCALES, TENS, UNITS
from streamasr.core.punctuation.tokens import (
    FEATURES,
    NUMBER,
    PAUSE,
    SPOKEN,
    Mark,
    features,
)

IGNORED = -1
"""A target that is not learnt."""
STRETCH = 160
"""Words with one speaker."""
PAUSES = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],  # never pauses
        [0.01, 0.2, 0.75, 0.75],
        [0.05, 0.4, 0.9, 0.9],  # hesitates
    ]
)
"""How likely a pause ends the utterance after a word, by speaker and mark."""
SPEAKERS = (0.25, 0.5, 0.25)
NAMING = 0.15
"""Share of the stretches whose marks are mostly spoken."""
SPOKEN_THEN, SPOKEN_ELSE = 0.9, 0.01
NUMBERS = frozenset({*UNITS, *TENS, *SCALES, "hundred"})


@dataclass(frozen=True, slots=True)
class Coded:
    """A text as arrays: features [n, FEATURES], marks, cases and whether it is a number [n]."""

    ids: NDArray[np.int32]
    marks: NDArray[np.int8]
    cases: NDArray[np.int8]
    numbers: NDArray[np.bool_]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, text: Text) -> Coded:
        table = {word: features(word) for word in set(text.words)}
        return cls(
            np.array([table[word] for word in text.words], np.int32).reshape(-1, FEATURES),
            np.array(text.marks, np.int8),
            np.array(text.cases, np.int8),
            np.array([word in NUMBERS for word in text.words], np.bool_),
            np.array(text.starts, np.int64),
        )

    def shuffled(self, rng: np.random.Generator) -> Coded:
        """The same with its sentences in another order."""
        bounds = np.append(self.starts, len(self.ids))
        order = rng.permutation(len(self.starts))
        lengths = np.diff(bounds)[order]
        at = np.concatenate([np.arange(bounds[i], bounds[i + 1]) for i in order])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        return Coded(self.ids[at], self.marks[at], self.cases[at], self.numbers[at], starts)


@dataclass(frozen=True, slots=True)
class Heard:
    """Tokens with their targets: features [n, FEATURES], marks and cases [n] of each token."""

    ids: NDArray[np.int32]
    marks: NDArray[np.int8]
    cases: NDArray[np.int8]

    @property
    def words(self) -> NDArray[np.bool_]:
        """Which of the tokens are words."""
        return np.asarray(self.marks != IGNORED)


@dataclass(frozen=True, slots=True)
class Noise:
    """How often a word is misheard, and how often it is missed."""

    changed: float = 0.03
    dropped: float = 0.01
    digits: float = 0.3
    """Share of the number words that are read as digits."""


def hear(
    text: Coded,
    rng: np.random.Generator,
    noise: Noise | None,
    *,
    speakers: Sequence[float] = SPEAKERS,
    naming: float = NAMING,
) -> Heard:
    """The text as it is spoken once, by speakers with the habits of `PAUSES`, some of whom
    name the marks; without ``noise`` every word is heard right, and there are no pauses and
    no spoken marks."""
    count = len(text.ids)
    ids, marks, cases = text.ids.copy(), text.marks.copy(), text.cases
    named = paused = np.zeros(count, np.bool_)
    if noise is not None:
        stretch = np.arange(count) // STRETCH
        speaker = rng.choice(len(PAUSES), stretch[-1] + 1, p=speakers)[stretch]
        paused = rng.random(count) < PAUSES[speaker, marks]
        names = (rng.random(stretch[-1] + 1) < naming)[stretch]
        named = rng.random(count) < np.where(names, SPOKEN_THEN, SPOKEN_ELSE * (naming > 0))
        named &= marks != Mark.NONE
        digits = text.numbers & (rng.random(count) < noise.digits)
        ids[digits] = features(NUMBER)
        changed = rng.random(count) < noise.changed
        ids[changed] = text.ids[rng.integers(0, count, int(changed.sum()))]
    lengths = 1 + named.astype(np.int64) + paused
    ends = np.cumsum(lengths)
    at = ends - lengths
    heard = Heard(
        np.zeros((ends[-1], FEATURES), np.int32),
        np.full(ends[-1], IGNORED, np.int8),
        np.full(ends[-1], UNKNOWN, np.int8),
    )
    said = np.array([features(SPOKEN.get(mark, PAUSE)) for mark in Mark], np.int32)
    heard.ids[at] = ids
    heard.ids[at[named] + 1] = said[marks[named]]
    heard.ids[ends[paused] - 1] = features(PAUSE)
    heard.marks[at] = np.where(named, np.int8(Mark.NONE), marks)
    heard.cases[at] = cases
    if noise is None:
        return heard
    kept = np.ones(len(heard.ids), np.bool_)
    kept[at] = (rng.random(count) >= noise.dropped) | (marks != Mark.NONE)
    return Heard(heard.ids[kept], heard.marks[kept], heard.cases[kept])


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens of several stretches: ids [T, B, FEATURES]; marks and cases [T, B]."""

    ids: NDArray[np.int64]
    marks: NDArray[np.int64]
    cases: NDArray[np.int64]


def passages(
    texts: Sequence[Coded],
    loose: Sequence[Coded],
    *,
    batch: int,
    length: int,
    rng: np.random.Generator,
    noise: Noise | None,
) -> Iterator[Batch]:
    """All of several texts once, in stretches of ``length`` tokens in a random order.

    The sentences of ``loose`` texts have nothing to do with each other.
    """
    heard = [hear(text, rng, noise) for text in texts]
    heard += [hear(text.shuffled(rng), rng, noise) for text in loose]
    where = [
        (source, start)
        for source, tokens in enumerate(heard)
        for start in range(int(rng.integers(0, length)), len(tokens.ids) - length + 1, length)
    ]
    order = rng.permutation(len(where))
    for first in range(0, len(order) - batch + 1, batch):
        chosen = [where[i] for i in order[first : first + batch]]

        def stack(name: str, chosen: list[tuple[int, int]] = chosen) -> NDArray[np.int64]:
            rows = [getattr(heard[s], name)[at : at + length] for s, at in chosen]
            return np.stack(rows, 1).astype(np.int64)

        yield Batch(stack("ids"), stack("marks"), stack("cases"))
