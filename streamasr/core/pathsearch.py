"""A graph search that also follows its best path: what `core.graphdecoder` works with.

    search = path_search(model)
    quiet, taken = search.push(rows, early=5)    # silence at the end of the best path
    search.words(settled)                        # what it says up to there

`PlainSearch` puts `core.graphsearch` and `core.readings` together, in numpy;
`core.nativesearch` does the same in C, where that could be compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamasr.core import nativesearch
from streamasr.core.graph import Floats, GraphModel
from streamasr.core.graphsearch import GraphSearch
from streamasr.core.hotwords import HotWords
from streamasr.core.phones import ENTER, SILENCE, START_WORD, STAY
from streamasr.core.readings import Path, Reading, best_readings

Span = tuple[int, int]


class Search(Protocol):
    """The search of one utterance."""

    emissions: int
    """Taken so far."""

    def push(self, log_probs: Floats, early: int = -1) -> tuple[int, int]:
        """Take log posteriors [emissions, phones], one at least.

        Gives the emissions of silence that now end the best path, and how many emissions were
        taken: none after one that makes that silence ``early`` long.
        """
        ...

    def agreed(self, doubt: float, most: int) -> int:
        """See `core.graphsearch.GraphSearch.agreed`."""
        ...

    def narrow(self, latest: int) -> int:
        """The most emissions, ``latest`` at most, after which all paths are in one token.

        0 where there are none that are not settled.
        """
        ...

    def settle(self, path: Path, emissions: int) -> None:
        """Let all paths begin like this one, up to where `narrow` found them to meet.

        The others are forgotten up to there, and so is their memory.
        """
        ...

    def words(self, settled: int) -> tuple[int, ...]:
        """The outputs of the best path's words that end by emission ``settled``."""
        ...

    def path(self) -> Path:
        """The best path."""
        ...

    def readings(self) -> list[Reading]:
        """The best readings that may end here, cheapest first."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What the search holds now; of arrays their data alone."""
        ...


def path_search(model: GraphModel, hot: HotWords | None = None) -> Search:
    """The fastest search that there is for this."""
    is_plain = hot is not None and len(hot.entries) > 0
    if is_plain or not nativesearch.is_available():
        return PlainSearch(model, hot)
    if model.options.max_active > nativesearch.MOST_ACTIVE:
        return PlainSearch(model)
    return nativesearch.NativeSearch(model)


class PlainSearch:
    """The search in numpy; see `Search`."""

    def __init__(self, model: GraphModel, hot: HotWords | None = None) -> None:
        self._model = model
        self._search = GraphSearch(model, hot)
        self._settled = Path()
        self._path = Path()  # from there on
        self.emissions = 0

    def push(self, log_probs: Floats, early: int = -1) -> tuple[int, int]:
        quiet = 0
        for taken, row in enumerate(self._model.scores(log_probs), start=1):
            self.emissions += 1
            if self._search.push(row[None]):
                self._path.forget()
            self._path.follow(self._search.frames, self._search.best())
            quiet = self._quiet()
            if quiet == early:
                return quiet, taken
        return quiet, len(log_probs)

    def _quiet(self) -> int:
        quiet = silence_run(self._path.labels)
        if quiet < len(self._path.labels):
            return quiet
        return quiet + silence_run(self._settled.labels)

    def agreed(self, doubt: float, most: int) -> int:
        return len(self._settled.labels) + self._search.agreed(doubt, most)

    def narrow(self, latest: int) -> int:
        settled = len(self._settled.labels)
        for at in range(min(latest, self.emissions), settled, -1):
            if len(self._search.frames[at - settled - 1].steps.labels) == 1:
                return at
        return 0

    def settle(self, path: Path, emissions: int) -> None:
        count = emissions - len(self._settled.labels)
        self._search.forget(count)
        self._settled = Path([], path.labels[:emissions], path.outputs[:emissions])
        self._path.drop(count)

    def words(self, settled: int) -> tuple[int, ...]:
        path = self.path()
        stable = sum(end <= settled for _, end in word_spans(path.labels))
        return path.words[:stable]

    def path(self) -> Path:
        return self._settled.then(self._path)

    def readings(self) -> list[Reading]:
        options = self._model.options
        found = best_readings(
            self._search.frames,
            *self._search.endings(),
            within=options.lattice_beam,
            most=options.candidates,
        )
        return [Reading(each.cost, self._settled.then(each.path)) for each in found]

    @property
    def memory_bytes(self) -> int:
        return sum(frame.memory_bytes for frame in self._search.frames)


def word_spans(labels: Sequence[int]) -> list[Span]:
    """First and past-last emission of each word of a path's labels."""
    spans: list[Span] = []
    begun = -1
    for at, label in enumerate(labels):
        is_start = label >= START_WORD
        if (is_start or label == ENTER + SILENCE) and begun >= 0:
            spans.append((begun, at))
            begun = -1
        if is_start:
            begun = at
    if begun >= 0:
        spans.append((begun, len(labels)))
    return spans


def silence_run(labels: Sequence[int]) -> int:
    """Emissions of silence that end a path's labels."""
    for run, label in enumerate(reversed(labels)):
        if label not in (STAY + SILENCE, ENTER + SILENCE):
            return run
    return len(labels)
