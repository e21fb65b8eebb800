"""Text as numbers: a hundred million words in half a gigabyte.

corpus = Corpus.read([Path("books.txt.gz")]).without(held_out)
words = (*SPECIAL, *rank_words([corpus], [1.0])[:90_000])
tables = count_stream(corpus.encode(words), len(words), 3)
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.lm.sentences import MARGIN, SHARED_WORDS, iter_sentences, spoken_words
from streamasr.edge.lm.ngram import END, SPECIAL, UNKNOWN

Ids = NDArray[np.int32]
Hashes = NDArray[np.uint64]

STOP = 0
"""Stands after each sentence of a stream; the type of that number is the empty word."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BUCKETS = np.uint64(40)
"""Bits dropped from a hash to find its place in a first, coarse table."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Sentences one after another, words numbered in the order in which they first came."""

    types: tuple[str, ...]
    stream: Ids

    @classmethod
    def read(cls, files: Iterable[Path]) -> Corpus:
        """Normalised sentences of .txt and .txt.gz files; those with digits dropped."""
        return cls.of(sentence for file in files for sentence in iter_sentences(file))

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> Corpus:
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        number = numbers.__getitem__
        number("")
        stream = array("i")
        for sentence in sentences:
            if sentence:
                stream.extend(map(number, sentence))
                stream.append(STOP)
        return cls(tuple(numbers), np.array(stream, np.int32))

    @classmethod
    def join(cls, parts: Sequence[Corpus]) -> Corpus:
        """Several texts as one."""
        numbers: dict[str, int] = {"": STOP}
        streams = []
        for part in parts:
            table = [numbers.setdefault(word, len(numbers)) for word in part.types]
            streams.append(np.array(table, np.int32)[part.stream])
        return cls(tuple(numbers), np.concatenate(streams) if streams else np.zeros(0, np.int32))

    @property
    def sentences(self) -> int:
        return int((self.stream == STOP).sum())

    def counts(self) -> dict[str, int]:
        """How often each word occurs."""
        seen = np.bincount(self.stream, minlength=len(self.types)).tolist()
        return dict(zip(self.types[1:], seen[1:], strict=True))

    def encode(self, words: Sequence[str]) -> Ids:
        """The stream in the numbers of a model's ``words``, </s> at the end of sentences."""
        assert tuple(words[: len(SPECIAL)]) == SPECIAL
        ids = {word: i for i, word in enumerate(words)}
        table = np.array([ids.get(word, UNKNOWN) for word in self.types], np.int32)
        table[STOP] = END
        return table[self.stream]

    def run_on(self, share: float, *, seed: int = 0) -> Corpus:
        """Let a random ``share`` of the sentences run on into the next."""
        if not share or not len(self.stream):
            return self
        ends = self.stream == STOP
        dropped = ends & (np.random.default_rng(seed).random(len(ends)) < share)
        dropped[-1] = False
        return Corpus(self.types, self.stream[~dropped])

    def without(
        self, held_out: Sequence[str], *, shared: int = SHARED_WORDS, margin: int = MARGIN
    ) -> Corpus:
        """Leave out sentences near one that shares a run of words with held-out text.

        As `HeldOut.filter` does, by hashes instead of words, so within seconds.
        """
        near = np.zeros(self.sentences, np.bool_)
        for size, texts in _by_run_length(held_out, shared):
            near[self._sentences_sharing(texts, size, whole=size < shared)] = True
        if not near.any():
            return self
        hits = np.cumsum(np.concatenate([[0], near]))
        at = np.arange(len(near))
        low, high = np.maximum(at - margin, 0), np.minimum(at + margin + 1, len(near))
        kept = hits[high] == hits[low]
        lengths = np.diff(np.flatnonzero(self.stream == STOP), prepend=-1)
        return Corpus(self.types, self.stream[np.repeat(kept, lengths)])

    def _sentences_sharing(
        self, texts: Sequence[Sequence[str]], size: int, *, whole: bool
    ) -> NDArray[np.int64]:
        """Numbers of the sentences with a run of ``size`` words of ``texts`` in them; a
        ``whole`` one is that run and nothing else."""
        ids = {word: i for i, word in enumerate(self.types)}
        codes = np.random.default_rng(0).integers(1, 2**63, len(ids) + 1, np.uint64)
        runs = [np.array([ids.get(word, len(ids)) for word in text]) for text in texts]
        wanted = np.unique(np.concatenate([_hashes(codes[run], size) for run in runs]))
        found = _hashes(codes[self.stream], size)
        coarse = np.zeros(1 << (64 - int(_BUCKETS)), np.bool_)
        coarse[(wanted >> _BUCKETS).astype(np.int64)] = True
        at = np.flatnonzero(coarse[(found >> _BUCKETS).astype(np.int64)])
        at = at[np.isin(found[at], wanted)]
        stops = np.flatnonzero(self.stream == STOP)
        owner = np.searchsorted(stops, at)
        if whole:
            starts = np.concatenate([[0], stops + 1])
            is_whole = (at == starts[owner]) & (stops[owner] == at + size)
            owner = owner[is_whole]
        return owner


def rank_words(parts: Sequence[Corpus], weights: Sequence[float]) -> list[str]:
    """All words of several texts, by their mean frequency so weighted, then by name."""
    shares: defaultdict[str, float] = defaultdict(float)
    for part, weight in zip(parts, weights, strict=True):
        seen = part.counts()
        total = max(1, sum(seen.values()))
        for word, count in seen.items():
            if count:
                shares[word] += weight * count / total
    return sorted(shares, key=lambda word: (-shares[word], word))


def _by_run_length(held_out: Iterable[str], shared: int) -> Iterator[tuple[int, list[list[str]]]]:
    """Held-out sentences by the length of their runs, from four words on."""
    found: defaultdict[int, list[list[str]]] = defaultdict(list)
    for text in held_out:
        words = spoken_words(text)
        size = min(shared, len(words))
        if size >= 4:
            found[size].append(words)
    yield from sorted(found.items())


def _hashes(codes: Hashes, size: int) -> Hashes:
    """A hash of each run of ``size`` words (a polynomial: Karp and Rabin 1987)."""
    count = max(0, len(codes) - size + 1)
    found = codes[:count].copy()
    for offset in range(1, size):
        found *= _MIX
        found += codes[offset : offset + count]
    return found
