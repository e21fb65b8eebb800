"""Paths through the frames of a graph search: the best one as it grows, and the best few.

    path = Path()
    path.follow(search.frames, search.best())
    for reading in best_readings(search.frames, *search.endings(), within=6.0, most=50): ...

The few come in the order of their costs, each with other words: from a path that is known,
every rival along it leads to another one, which keeps the path's end and goes the rival's
way before. A path is made of such a deviation once, so that none comes twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Self

from streamasr.core.graph import Floats
from streamasr.core.phones import SILENCE, STAY
from streamasr.core.tokens import Frame, Ints, Rivals, Steps

TRIES = 4
"""Paths looked at for each reading asked for; most say words that another one said."""


@dataclass(slots=True)
class Path:
    """A way through frames, from the first: token, label and output at each emission."""

    tokens: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def copy(self) -> Self:
        return type(self)(self.tokens[:], self.labels[:], self.outputs[:])

    @property
    def words(self) -> tuple[int, ...]:
        return tuple(output for output in self.outputs if output)

    def follow(self, frames: Sequence[Frame], token: int) -> int:
        """Become the path to a token of the last frame; the first emission that changed."""
        known = len(self.tokens)
        fresh = [0] * (len(frames) - known)
        self.tokens += fresh
        self.labels += fresh
        self.outputs += fresh
        return self._follow(frames, token, len(frames) - 1, known)

    def deviate(self, frames: Sequence[Frame], at: int, rival: int) -> None:
        """Go a rival's way to emission ``at``, and on as before."""
        origin = self._take(frames[at].rivals.steps, rival, at)
        self._follow(frames, origin, at - 1, len(self.tokens))

    def then(self, other: Path) -> Path:
        """This path with another one after it; of tokens it knows nothing."""
        return Path([], self.labels + other.labels, self.outputs + other.outputs)

    def drop(self, emissions: int) -> None:
        """Forget the first so many."""
        del self.tokens[:emissions], self.labels[:emissions], self.outputs[:emissions]

    def rest(self, emissions: int) -> None:
        """Go on in silence."""
        self.tokens += [-1] * emissions
        self.labels += [STAY + SILENCE] * emissions
        self.outputs += [0] * emissions

    def forget(self) -> None:
        """Know the path no more, after frames were renumbered."""
        self.tokens = [-1] * len(self.tokens)

    def _follow(self, frames: Sequence[Frame], token: int, at: int, known: int) -> int:
        while at >= 0 and (at >= known or self.tokens[at] != token):
            self.tokens[at] = token
            token = self._take(frames[at].steps, token, at)
            at -= 1
        return at + 1

    def _take(self, steps: Steps, row: int, at: int) -> int:
        self.labels[at] = int(steps.labels[row])
        self.outputs[at] = int(steps.outputs[row])
        return int(steps.origins[row])


@dataclass(frozen=True, slots=True)
class Reading:
    """A path with its cost."""

    cost: float
    path: Path


@dataclass(frozen=True, slots=True)
class _Deviation:
    parent: Path
    at: int
    """The emission before which the path deviates; past the end for another ending."""
    row: int


def best_readings(
    frames: Sequence[Frame], ends: Ints, costs: Floats, *, within: float, most: int
) -> Iterator[Reading]:
    """Up to ``most`` readings, cheapest first, that cost at most ``within`` more."""
    if not frames:
        return
    limit = float(costs.min()) + within
    numbers = count()
    last = len(frames)
    waiting = [
        (float(cost), next(numbers), _Deviation(Path(), last, int(end)))
        for end, cost in zip(ends, costs, strict=True)
        if cost <= limit
    ]
    heapq.heapify(waiting)
    said: set[tuple[int, ...]] = set()
    rivals = [_by_winner(frame.rivals) for frame in frames]
    busy = [at for at, row in enumerate(rivals) if row]
    for _ in range(TRIES * most):
        if not waiting or len(said) >= most:
            return
        cost, _, deviation = heapq.heappop(waiting)
        path = deviation.parent.copy()
        if deviation.at == last:
            path.follow(frames, deviation.row)
        else:
            path.deviate(frames, deviation.at, deviation.row)
        if path.words in said:
            continue
        said.add(path.words)
        yield Reading(cost, path)
        for at in busy:
            if at >= deviation.at:
                break
            for row, delta in rivals[at].get(path.tokens[at], ()):
                if cost + delta <= limit:
                    entry = (cost + delta, next(numbers), _Deviation(path, at, row))
                    heapq.heappush(waiting, entry)


def _by_winner(rivals: Rivals) -> dict[int, list[tuple[int, float]]]:
    """Winner -> its rivals' rows and deltas."""
    table: dict[int, list[tuple[int, float]]] = {}
    rows = zip(rivals.winners.tolist(), rivals.deltas.tolist(), strict=True)
    for row, (winner, delta) in enumerate(rows):
        table.setdefault(winner, []).append((row, delta))
    return table
