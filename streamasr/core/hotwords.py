"""Words and phrases that one stream is to expect, beside the graph that all share.

hot = heat(model, [HotWord("ada lovelace"), HotWord("zork", phones="Z AO R K")])
GraphDecoder(model, hot)

Each way to say a phrase is a chain of sounding states, numbered after those of the graph.
A chain is entered from the empty history, which every other one falls back to, at a cost
that its boost lowers, and leads back there: so a word that the language model does not know,
or does not expect here, competes as if it were a frequent one. What follows a phrase is
judged without it, and a phrase is said without a pause inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats, GraphModel
from streamasr.core.phones import ENTER, PHONE_IDS, START_WORD, STAY
from streamasr.core.tokens import Ints, Steps, Tokens
from streamasr.errors import ConfigError

UNEXPECTED = 12.0
"""Cost of a phrase without boost: that of a word heard once in 160 000."""
DEFAULT_BOOST = 6.0
HIGHEST_BOOST = 12.0
MOST = 200
LONGEST = 100
"""Letters of a phrase."""
WAYS = 4
"""Pronunciations of a phrase at most."""


@dataclass(frozen=True, slots=True)
class HotWord:
    """A word or phrase to expect."""

    text: str
    boost: float = DEFAULT_BOOST
    """By how much its cost is lowered, a natural logarithm: 0..12."""
    phones: str = ""
    """How it is said, where the lexicon does not know; for single words."""

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > LONGEST:
            raise ConfigError(
                f"a hot word has 1 to {LONGEST} letters, got {self.text[:20]!r}",
                remedy="shorten it",
            )
        if not 0 <= self.boost <= HIGHEST_BOOST:
            raise ConfigError(
                f"a boost lies in 0..{HIGHEST_BOOST:g}, got {self.boost:g}",
                remedy=f"{DEFAULT_BOOST:g} is usual",
            )
        unknown = [
            phone for phone in self.phones.split() if phone not in PHONE_IDS or phone == "SIL"
        ]
        if unknown:
            raise ConfigError(f"{unknown[0]!r} is no phone", remedy=" ".join(list(PHONE_IDS)[1:]))

    @classmethod
    def parse(cls, text: str) -> HotWord:
        """A phrase, which may go on with a colon and a boost: ``zork: 9``."""
        phrase, colon, boost = text.partition(":")
        try:
            return cls(phrase.strip(), float(boost) if colon else DEFAULT_BOOST)
        except ValueError:
            raise ConfigError(
                f"the boost of {phrase.strip()!r} is {boost.strip()!r}, no number",
                remedy=f"such as {phrase.strip()}:{DEFAULT_BOOST:g}",
            ) from None


@dataclass(frozen=True, slots=True, eq=False)
class HotWords:
    """The chains of a stream; states count from 0 here, and from ``base`` in tokens."""

    base: int
    words: tuple[str, ...]
    """Output ``first_output`` + n says word n."""
    first_output: int
    phones: NDArray[np.uint8]
    starts: NDArray[np.bool_]
    """Whether a word begins in the state."""
    outputs: NDArray[np.int32]
    """The word said on entering, or 0."""
    costs: Floats
    """Of entering."""
    nexts: Ints
    """The state after, -1 at the end."""
    entries: Ints
    unknown: tuple[str, ...]
    """Phrases that nobody knows how to say."""

    def advance(self, tokens: Tokens, enter: Floats, begin: Floats, row: Floats) -> Tokens:
        """Ways to take one more emission in the chains; tokens are in the order of states."""
        inside = int(np.searchsorted(tokens.states, self.base))
        states = tokens.states[inside:] - self.base
        rows = np.arange(inside, len(tokens))
        going = np.flatnonzero(self.nexts[states] >= 0)
        into, owners = self.nexts[states[going]], rows[going]
        if tokens.states[0] == 0:
            into = np.concatenate([self.entries, into])
            owners = np.concatenate([np.zeros(len(self.entries), np.int64), owners])
        sounds, starts = self.phones[into], self.starts[into]
        costs = tokens.costs[owners] + self.costs[into]
        costs += np.where(starts, begin[sounds], enter[sounds])
        labels = sounds + np.where(starts, START_WORD, ENTER).astype(np.uint8)
        heard = self.phones[states]
        return Tokens(
            np.concatenate([into, states]) + self.base,
            np.concatenate([costs, tokens.costs[inside:] - row[heard]]),
            tokens.words[np.concatenate([owners, rows])],
            Steps(
                np.concatenate([owners, rows]).astype(np.int32),
                np.concatenate([labels, heard + np.uint8(STAY)]),
                np.concatenate([self.outputs[into], np.zeros(len(states), np.int32)]),
            ),
        )

    def end(self, sounding: Tokens) -> Tokens:
        """Tokens that leave a chain, now at the empty history."""
        inside = np.flatnonzero(sounding.states >= self.base)
        ended = sounding[inside[self.nexts[sounding.states[inside] - self.base] < 0]]
        ended.states = np.zeros(len(ended), np.int64)
        return ended


def heat(model: GraphModel, hotwords: Sequence[HotWord]) -> HotWords:
    """The chains of hot words; raises ConfigError for too many."""
    if len(hotwords) > MOST:
        raise ConfigError(f"{len(hotwords)} hot words are too many", remedy=f"at most {MOST}")
    graph = model.graph
    texts = [" ".join(hot.text.lower().split()) for hot in hotwords]
    said = model.pronounce(sorted({word for text in texts for word in text.split()}))
    first_output = len(graph.text_firsts)
    words: dict[str, int] = {}
    rows: list[tuple[int, bool, int, float, int]] = []  # phone, starts, output, cost, next
    entries, unknown = [], []
    for text, hot in zip(texts, hotwords, strict=True):
        ways = [
            [tuple(hot.phones.split())] if hot.phones else said.get(word, [])
            for word in text.split()
        ]
        chosen = list(islice(product(*ways), WAYS))
        if not chosen or (hot.phones and len(ways) > 1):
            unknown.append(hot.text)
            continue
        for way in chosen:
            entries.append(len(rows))
            cost = UNEXPECTED - hot.boost
            for word, phones in zip(text.split(), way, strict=True):
                output = first_output + words.setdefault(word, len(words))
                for place, phone in enumerate(phones):
                    starts = place == 0
                    row = (PHONE_IDS[phone], starts, output if starts else 0, cost, len(rows) + 1)
                    rows.append(row)
                    cost = 0.0
            rows[-1] = (*rows[-1][:4], -1)
    phones_, starts_, outputs, costs, nexts = zip(*rows, strict=True) if rows else ((),) * 5
    return HotWords(
        base=len(graph.phones),
        words=tuple(words),
        first_output=first_output,
        phones=np.array(phones_, np.uint8),
        starts=np.array(starts_, np.bool_),
        outputs=np.array(outputs, np.int32),
        costs=np.array(costs, np.float32),
        nexts=np.array(nexts, np.int64),
        entries=np.array(entries, np.int64),
        unknown=tuple(unknown),
    )


def heat_known(model: GraphModel | None, hotwords: Sequence[HotWord]) -> HotWords | None:
    """Like `heat`, for whoever is to be told of a phrase that cannot be expected.

    None for no hot words; ConfigError without a graph, or where the model does not know
    how a phrase is said.
    """
    if not hotwords:
        return None
    if model is None:
        raise ConfigError(
            "hot words need the graph decoder",
            remedy="use a model with a language model, and not --decoder greedy",
        )
    hot = heat(model, hotwords)
    if hot.unknown:
        raise ConfigError(
            f"nobody knows how to say {', '.join(hot.unknown)}",
            remedy="leave them out: their words are not in the model's lexicon",
        )
    return hot
