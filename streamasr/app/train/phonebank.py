"""How phones come out of the phone head, remembered so that text can be played back.

bank = PhoneBank.gather(pairs of posteriors and targets)
posteriors, lengths = bank.play(sentences as phone ids, rng)

A bank is a heap of segments: the posteriors of one phone as it stood in real speech,
with its true length, its hesitations and its errors. Strung together they are what the
layers above the phone head would have heard, had somebody read the text aloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamasr.app.alignment import NO_TARGET
from streamasr.core.phones import SILENCE

Ints = NDArray[np.int64]
LONGEST = 12
"""Emissions kept of a segment: of a long silence, its end."""


@dataclass(frozen=True, slots=True, eq=False)
class PhoneBank:
    """Segments, sorted by the phone before them and their own."""

    posteriors: NDArray[np.float16]
    """[emissions, phones], segments one after another as they were heard."""
    starts: Ints
    lengths: Ints
    lefts: Ints
    phones: Ints

    def __post_init__(self) -> None:
        assert np.all(np.diff(self._keys(self.lefts, self.phones)) >= 0), "segments are sorted"

    @classmethod
    def gather(cls, heard: Iterable[tuple[NDArray[np.float16], Ints]]) -> Self:
        """Cut posteriors [emissions, phones] where targets [emissions] change."""
        blocks, parts, offset = [], [], 0
        for posteriors, targets in heard:
            starts, lengths, lefts = _runs(targets)
            kept = np.minimum(lengths, LONGEST)
            begin = starts + lengths - kept + offset
            parts.append(np.stack([begin, kept, lefts, targets[starts]]))
            blocks.append(posteriors)
            offset += len(posteriors)
        segments = np.concatenate(parts, axis=1)
        segments = segments[:, segments[3] >= 0]
        order = np.lexsort((segments[3], segments[2]))
        return cls(np.concatenate(blocks), *segments[:, order])

    @classmethod
    def read(cls, file: Path) -> Self:
        with np.load(file) as saved:
            return cls(**saved)

    def write(self, file: Path) -> None:
        partial = file.with_suffix(".partial.npz")
        np.savez(
            partial, posteriors=self.posteriors, starts=self.starts, lengths=self.lengths,
            lefts=self.lefts, phones=self.phones,
        )  # fmt: skip
        partial.rename(file)

    def __len__(self) -> int:
        return len(self.starts)

    def play(
        self, sentences: Sequence[Ints], rng: np.random.Generator
    ) -> tuple[list[NDArray[np.float16]], list[int]]:
        """Posteriors [emissions, phones] of each sentence, and their lengths."""
        phones = np.concatenate(sentences)
        lefts = np.concatenate([np.concatenate([[SILENCE], s[:-1]]) for s in sentences])
        chosen = self._choose(lefts, phones, rng)
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths)
        index = np.repeat(self.starts[chosen] - (ends - lengths), lengths) + np.arange(ends[-1])
        played = self.posteriors[index]
        edges = np.concatenate([[0], ends])[np.cumsum([0, *map(len, sentences)])]
        parts = np.split(played, edges[1:-1])
        return parts, [len(part) for part in parts]

    def _choose(self, lefts: Ints, phones: Ints, rng: np.random.Generator) -> Ints:
        """A segment for each phone, heard after the same phone where there is one."""
        keys = self._keys(self.lefts, self.phones)
        wanted = self._keys(lefts, phones)
        low, high = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
        by_phone = np.argsort(self.phones, kind="stable")
        sorted_phones = self.phones[by_phone]
        loose_low = np.searchsorted(sorted_phones, phones)
        loose_high = np.searchsorted(sorted_phones, phones, side="right")
        draw = rng.random(len(phones))
        strict = low + (draw * (high - low)).astype(np.int64)
        loose = loose_low + (draw * (loose_high - loose_low)).astype(np.int64)
        last = len(self) - 1
        anything = by_phone[np.minimum(loose, last)]
        return np.where(high > low, np.minimum(strict, last), anything)

    def _keys(self, lefts: Ints, phones: Ints) -> Ints:
        return np.asarray(lefts * self.posteriors.shape[1] + phones)


def _runs(targets: Ints) -> tuple[Ints, Ints, Ints]:
    """First emission, length and left neighbour of each run of equal targets."""
    starts = np.flatnonzero(np.diff(targets, prepend=NO_TARGET - 1))
    lengths = np.diff(starts, append=len(targets))
    before = targets[np.maximum(starts - 1, 0)]
    lefts = np.where((starts == 0) | (before < 0), SILENCE, before)
    return starts, lengths, lefts
