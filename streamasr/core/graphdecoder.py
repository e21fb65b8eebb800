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
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streamasr.core.decoder import DecodedWord
from streamasr.core.graph import Floats, GraphModel
from streamasr.core.graphsearch import GraphSearch
from streamasr.core.hotwords import HotWords
from streamasr.core.model import Emissions
from streamasr.core.phones import ENTER, PHONES, SILENCE, START_WORD, STAY
from streamasr.core.readings import Path, Reading, best_readings
from streamasr.core.rescore import choose

Span = tuple[int, int]

EARLY = 5
"""Emissions of silence after which an utterance may be about to end."""


class GraphDecoder:
    """Decodes one utterance; see `core.decoder.Decoder`."""

    def __init__(self, model: GraphModel, hot: HotWords | None = None) -> None:
        self._model = model
        self._hot = hot
        self._search = GraphSearch(model, hot)
        self._path = Path()
        self._phones: list[Floats] = []
        self._units: list[NDArray[np.float16]] = []
        self._shown: tuple[int, ...] = ()
        self._is_finished = False
        self._early: Path | None = None  # chosen in the silence that goes on
        self.text = ""
        self.quiet = 0

    def push(self, emissions: Emissions) -> bool:
        phones = emissions.phones
        assert phones is not None, "a graph is only loaded for a model with a phone head"
        if not len(phones):
            return False
        self._phones.append(phones)
        self._units.append(emissions.units.astype(np.float16))
        before = len(self._path.labels)
        for number, row in enumerate(self._model.scores(phones), start=before + 1):
            if self._search.push(row[None]):
                self._path.forget()
            self._path.follow(self._search.frames, self._search.best())
            self.quiet = silence_run(self._path.labels)
            if self.quiet == EARLY and any(self._path.outputs):
                self._early = self._choose(number)
        return self._show()

    def finish(self) -> None:
        """Take the best reading by both heads of those that may end here."""
        self._is_finished = True
        if not self._phones:
            return
        chosen = len(self._early.labels) if self._early is not None else 0
        silent = len(self._path.labels) - chosen
        if self._early is not None and self.quiet == EARLY + silent:
            self._path = self._early.copy()
            self._path.rest(silent)
        else:
            self._path = self._choose(len(self._path.labels)) or self._path
        self._show()

    def _choose(self, emissions: int) -> Path | None:
        """The best reading of the first ``emissions``, which are all that were searched."""
        units = np.concatenate(self._units)[:emissions].astype(np.float32)
        return choose(self._model, self.readings(), units, self._word)

    def readings(self) -> list[Reading]:
        """The best readings that may end here, cheapest first."""
        options = self._model.options
        return list(
            best_readings(
                self._search.frames,
                *self._search.endings(),
                within=options.lattice_beam,
                most=options.candidates,
            )
        )

    def words(self) -> tuple[DecodedWord, ...]:
        """The words of the text, with times corrected for the delay of the phone head."""
        calibration, delay = self._model.calibration, self._model.delay
        return tuple(
            DecodedWord(
                self._word(output),
                max(0.0, start - delay),
                max(0.0, end - delay),
                calibration.confidence(posterior, worst, end - start),
            )
            for output, (start, end), posterior, worst in self.evidence()
        )

    def evidence(self) -> Iterator[tuple[int, Span, float, float]]:
        """For each word its output, its emissions, the mean log posterior of its phones
        over them, and that of its worst phone."""
        if not self._shown:
            return
        heard = np.concatenate(self._phones)
        for output, span in zip(self._shown, word_spans(self._path.labels), strict=False):
            path = np.asarray(self._path.labels[slice(*span)]) - STAY
            posteriors = heard[np.arange(*span), path % len(PHONES)]
            phones = np.cumsum(path >= ENTER - STAY) - 1
            means = np.bincount(phones, posteriors) / np.bincount(phones)
            yield output, span, float(posteriors.mean()), float(means.min())

    def _word(self, output: int) -> str:
        if self._hot is not None and output >= self._hot.first_output:
            return self._hot.words[output - self._hot.first_output]
        return self._model.graph.word(output)

    def _show(self) -> bool:
        """Bring the text up to date; says whether it grew."""
        outputs, spans = self._path.words, word_spans(self._path.labels)
        settled = len(self._path.labels) if self._is_finished else self._settled()
        stable = sum(end <= settled for _, end in spans[: len(outputs)])
        shown = outputs[:stable]
        if shown == self._shown:
            return False
        grew = len(shown) > len(self._shown)
        if grew or self._is_finished:
            self._shown = shown
            self.text = " ".join(self._word(output) for output in shown)
        return grew

    def _settled(self) -> int:
        """Emissions from the first in which words may be shown."""
        options, heard = self._model.options, len(self._path.labels)
        agreed = self._search.agreed(options.doubt, options.patience)
        return min(heard - options.settle, max(agreed, heard - options.patience))


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
