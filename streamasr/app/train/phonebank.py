"""How phones come out of the phone head, remembered so that text can be played back.

bank = PhoneBank.gather(pairs of posteriors and targets, one an utterance)
posteriors, lengths = bank.play(sentences as phone ids, rng)

A bank is a heap of segments: the posteriors of one phone as it stood in real speech, with
its true length, its hesitations and its errors. Strung together they are what the speller
would have heard, had somebody read the text aloud. Some speakers are heard well and others
badly, throughout: a sentence is played from utterances that were heard about equally well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamasr.app.alignment import NO_TARGET
from streamasr.core.phones import SILENCE

Floats = NDArray[np.float16]
Ints = NDArray[np.int64]
LONGEST = 12
"""Emissions kept of a segment: of a long silence, its end."""
GROUPS = 6
"""Utterances are sorted by how well they were heard into so many."""
ENOUGH = 3
"""Segments with the same phones on both sides that make the choice among them worthwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class PhoneBank:
    """Segments, sorted by their group, their phone, the one before and the one after."""

    posteriors: Floats
    """[emissions, phones], one utterance after another as they were heard."""
    starts: Ints
    lengths: Ints
    keys: Ints
    groups: int

    @classmethod
    def gather(cls, heard: Iterable[tuple[Floats, Ints]], *, groups: int = GROUPS) -> Self:
        """Cut posteriors [emissions, phones] of utterances where targets [emissions] change.

        Emissions without a target (negative) are not kept as segments.
        """
        known = [(p, t) for p, t in heard if (t >= 0).any()]
        rights = [float(np.mean((p.argmax(axis=1) == t)[t >= 0])) for p, t in known]
        groups = max(1, min(groups, len(known)))
        ranks = np.empty(len(known), np.int64)
        ranks[np.argsort(rights, kind="stable")] = np.arange(len(known)) * groups // len(known)
        parts, offset = [], 0
        for (posteriors, targets), group in zip(known, ranks.tolist(), strict=True):
            starts, lengths, lefts, rights_of = _runs(targets)
            kept = np.minimum(lengths, LONGEST)
            keys = _keys(group, targets[starts], lefts, rights_of, posteriors.shape[1])
            part = np.stack([starts + lengths - kept + offset, kept, keys])
            parts.append(part[:, targets[starts] >= 0])
            offset += len(posteriors)
        segments = np.concatenate(parts, axis=1)
        segments = segments[:, np.argsort(segments[2], kind="stable")]
        starts, lengths, keys = segments
        return cls(np.concatenate([p for p, _ in known]), starts, lengths, keys, groups)

    def __len__(self) -> int:
        return len(self.starts)

    def play(
        self, sentences: Sequence[Ints], rng: np.random.Generator
    ) -> tuple[list[Floats], list[int]]:
        """Posteriors [emissions, phones] of each sentence, and their lengths."""
        phones = np.concatenate(sentences)
        lefts = np.concatenate([np.concatenate([[SILENCE], s[:-1]]) for s in sentences])
        rights = np.concatenate([np.concatenate([s[1:], [SILENCE]]) for s in sentences])
        sizes = [len(s) for s in sentences]
        groups = np.repeat(rng.integers(self.groups, size=len(sentences)), sizes)
        chosen = self._choose(groups, phones, lefts, rights, rng)
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths)
        index = np.repeat(self.starts[chosen] - (ends - lengths), lengths) + np.arange(ends[-1])
        played = self.posteriors[index]
        edges = np.concatenate([[0], ends])[np.cumsum([0, *sizes])]
        parts = np.split(played, edges[1:-1])
        return parts, [len(part) for part in parts]

    def _choose(
        self, groups: Ints, phones: Ints, lefts: Ints, rights: Ints, rng: np.random.Generator
    ) -> Ints:
        """A segment for each phone, from between the same two phones where there are enough.

        Else one heard after the same phone, else any of the phone, else of another group.
        """
        count = self.posteriors.shape[1]
        whole = _keys(groups, phones, lefts, rights, count)
        pair = _keys(groups, phones, lefts, 0, count)
        alone = _keys(groups, phones, 0, 0, count)
        low, high = self._range(whole, 1)
        for base, span in ((pair, count), (alone, count * count)):
            wider_low, wider_high = self._range(base, span)
            few = high - low < (ENOUGH if span == count else 1)
            low, high = np.where(few, wider_low, low), np.where(few, wider_high, high)
        for group in range(self.groups):
            other_low, other_high = self._range(_keys(group, phones, 0, 0, count), count * count)
            none = high <= low
            low, high = np.where(none, other_low, low), np.where(none, other_high, high)
        drawn = low + (rng.random(len(phones)) * (high - low)).astype(np.int64)
        return np.minimum(drawn, len(self) - 1)

    def _range(self, base: Ints, span: int) -> tuple[Ints, Ints]:
        """Where the segments with keys base .. base + span begin and end."""
        return np.searchsorted(self.keys, base), np.searchsorted(self.keys, base + span)


def _keys(group: Ints | int, phone: Ints, left: Ints | int, right: Ints | int, count: int) -> Ints:
    return np.asarray(((group * count + phone) * count + left) * count + right, np.int64)


def _runs(targets: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """First emission, length, left and right neighbour of each run of equal targets."""
    starts = np.flatnonzero(np.diff(targets, prepend=NO_TARGET - 1))
    lengths = np.diff(starts, append=len(targets))
    own = targets[starts]
    lefts = np.concatenate([[SILENCE], own[:-1]])
    rights = np.concatenate([own[1:], [SILENCE]])
    return (
        starts,
        lengths,
        np.where(lefts < 0, SILENCE, lefts),
        np.where(rights < 0, SILENCE, rights),
    )
