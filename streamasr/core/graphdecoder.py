"""The accurate mode: words from both heads of the model through a search graph.

    decoder = GraphDecoder(model)
    for emissions in steps:
        decoder.push(emissions)    # decoder.text: the words that are old enough to be shown
    decoder.finish()

While an utterance is open its best reading may still change; a word is shown once all good
readings agree on it (`SearchOptions.doubt`), and is then rarely taken back. The end corrects it
where both heads together prefer another reading. That last choice is made already when
`EARLY` emissions of silence have passed, and made again only where more was said since: so
nobody waits for it once the utterance is declared over.

An utterance that goes on is settled from its beginning: where all paths still in the search
go through one token, what both heads prefer up to there is taken for good, and the rest and
what was heard of it are forgotten. So memory is bounded by the last `LONGER` emissions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.decoder import Alternative, DecodedWord
from streamasr.core.endpoint import Outlook
from streamasr.core.graph import GraphModel
from streamasr.core.heard import Heard
from streamasr.core.hotwords import HotWords
from streamasr.core.model import Emissions
from streamasr.core.pathsearch import Span, path_search, word_spans
from streamasr.core.phones import ENTER, PHONES, STAY
from streamasr.core.readings import Path, Reading
from streamasr.core.rescore import rank

EARLY = 5
"""Emissions of silence after which an utterance may be about to end."""
LONG = 150
"""Emissions that are not settled, at which a pause settles them,"""
LONGER = 300
"""and at which they are settled without one,"""
RECENT = 50
"""except the last, if there is no pause."""
PATIENCE = 25
"""Emissions between attempts without a pause, and the fewest that are worth it."""
ANCHOR = 25
"""Emissions at least that are remembered before the settled point: what follows is judged with
the words in them."""


Evidence = tuple[int, Span, float, float]


class GraphDecoder:
    """Decodes one utterance; see `core.decoder.Decoder`."""

    def __init__(self, model: GraphModel, hot: HotWords | None = None, *, others: int = 0) -> None:
        """``others`` is how many `alternatives` are kept, at most."""
        self._others = others
        self._model = model
        self._hot = hot
        self._search = path_search(model, hot)
        self._heard = Heard()
        self._shown: tuple[int, ...] = ()
        self._settled = 0  # emissions
        self._sure = 0  # words before those emissions that are remembered
        self._next_try = LONGER  # emissions at which to settle without a pause
        self._judged: dict[tuple[int, bytes], tuple[float, float]] = {}  # see `evidence`
        self._early: Path | None = None  # chosen in the silence that goes on
        self._ranked: Sequence[tuple[float, Path]] = ()  # best of the last choice, if asked for
        self._chosen: Path | None = None  # set by finish
        self.text = ""
        self.quiet = 0

    def push(self, emissions: Emissions) -> bool:
        phones = emissions.phones
        assert phones is not None, "a graph is only loaded for a model with a phone head"
        if not len(phones):
            return False
        self._heard.push(emissions)
        search = self._search
        while len(phones):
            part = phones[: self._next_try - search.emissions]
            self.quiet, taken = search.push(part, EARLY)
            phones = phones[taken:]
            if self.quiet == EARLY and search.words(search.emissions):
                self._early = self._choose()
                if self._early is not None and search.emissions - self._settled >= LONG:
                    self._settle(self._early, search.emissions - EARLY)
            if search.emissions == self._next_try:
                self._next_try += PATIENCE
                self._settle(None, search.emissions - RECENT)
        return self._show()

    def finish(self) -> None:
        """Take the best reading by both heads of those that may end here."""
        emissions = self._search.emissions
        chosen = len(self._early.labels) if self._early is not None else 0
        silent = emissions - chosen
        if self._early is not None and self.quiet == EARLY + silent:
            self._chosen = self._early.copy()
            self._chosen.rest(silent)
        elif emissions:
            self._chosen = self._choose() or self._search.path()
        if self._chosen is not None:
            self._tell(self._chosen.words)

    def _settle(self, chosen: Path | None, latest: int) -> None:
        """Take a reading for good, as far as all paths meet, and forget what led there."""
        search = self._search
        settled = search.narrow(latest)
        if settled - self._settled < PATIENCE:
            return
        chosen = chosen or self._choose() or search.path()
        search.settle(chosen, settled)
        self._settled = settled
        self._next_try = max(self._next_try, settled + LONGER)
        spans = word_spans(chosen.labels)
        early = sum(start <= settled - ANCHOR for start, _ in spans) - 1
        if early <= self._sure:
            return
        judged = list(self._judge(chosen, spans[:early]))
        self._judged = {(span[0], _way(chosen, span)): each for span, each in judged}
        self._sure = early
        self._heard.forget(spans[early][0])

    def _choose(self) -> Path | None:
        """The best reading of what was searched."""
        units = self._heard.units(self._search.emissions)
        ranked = rank(self._model, self.readings(), units, self._word, self._sure)
        self._ranked = ranked[: self._others + 1] if self._others else ()
        return ranked[0][1] if ranked else None

    def readings(self) -> list[Reading]:
        """The best readings that may end here, cheapest first."""
        return self._search.readings()

    @property
    def outlook(self) -> Outlook:
        """Open: a language model lets anything follow."""
        return "open"

    @property
    def memory_bytes(self) -> int:
        """What the search and the emissions of the open utterance take."""
        return self._search.memory_bytes + self._heard.memory_bytes

    def words(self) -> tuple[DecodedWord, ...]:
        """The words of the text, with times corrected for the delay of the phone head."""
        return self._told(self.evidence())

    def alternatives(self, most: int) -> tuple[Alternative, ...]:
        """Readings that lost, best first, each with how much less likely it is: 0..1."""
        if self._chosen is None:
            return ()
        cheapest = self._ranked[0][0] if self._ranked else 0.0
        return tuple(
            Alternative(math.exp(cheapest - cost), self._told(self._evidence(path.words, path)))
            for cost, path in self._ranked[1 : most + 1]
            if path.words
        )

    def _told(self, evidence: Iterable[Evidence]) -> tuple[DecodedWord, ...]:
        calibration, delay = self._model.calibration, self._model.delay
        return tuple(
            DecodedWord(
                self._word(output),
                max(0.0, start - delay),
                max(0.0, end - delay),
                calibration.confidence(posterior, worst, end - start),
            )
            for output, (start, end), posterior, worst in evidence
        )

    def evidence(self) -> Iterator[Evidence]:
        """For each word its output, its emissions, the mean log posterior of its phones
        over them, and that of its worst phone."""
        if self._shown:
            yield from self._evidence(self._shown, self._chosen or self._search.path())

    def _evidence(self, said: Sequence[int], path: Path) -> Iterator[Evidence]:
        spans = word_spans(path.labels)[: len(said)]
        for output, (span, judged) in zip(said, self._judge(path, spans), strict=False):
            yield output, span, *judged

    def _judge(
        self, path: Path, spans: Sequence[Span]
    ) -> Iterator[tuple[Span, tuple[float, float]]]:
        """The evidence for each word of a path, remembered."""
        heard, first = None, self._heard.first
        for span in spans:
            way = span[0], _way(path, span)
            if way not in self._judged:
                heard = self._heard.phones() if heard is None else heard
                rows = heard[span[0] - first : span[1] - first]
                self._judged[way] = _posteriors(rows, path.labels[slice(*span)])
            yield span, self._judged[way]

    def _word(self, output: int) -> str:
        if self._hot is not None and output >= self._hot.first_output:
            return self._hot.words[output - self._hot.first_output]
        return self._model.graph.word(output)

    def _show(self) -> bool:
        """Show the words that are settled, where that is more than before."""
        options, search = self._model.options, self._search
        agreed = search.agreed(options.doubt, options.patience)
        settled = max(agreed, search.emissions - options.patience)
        words = search.words(min(search.emissions - options.settle, settled))
        if len(words) <= len(self._shown):
            return False
        self._tell(words)
        return True

    def _tell(self, words: tuple[int, ...]) -> None:
        self._shown = words
        self.text = " ".join(self._word(output) for output in words)


def _way(path: Path, span: Span) -> bytes:
    return bytes(path.labels[slice(*span)])


def _posteriors(heard: NDArray[np.float16], labels: Sequence[int]) -> tuple[float, float]:
    """Mean log posterior of a word's phones over its emissions, and of its worst phone."""
    path = np.asarray(labels) - STAY
    posteriors = heard[np.arange(len(path)), path % len(PHONES)].astype(np.float64)
    phones = np.cumsum(path >= ENTER - STAY) - 1
    means = np.bincount(phones, posteriors) / np.bincount(phones)
    return float(posteriors.mean()), float(means.min())
