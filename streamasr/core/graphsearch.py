"""The accurate mode: words from phone emissions through a weighted search graph.

    decoder = GraphDecoder(graph, rescorer)
    for phones, units in steps:
        decoder.push(phones, units)    # decoder.words: the best reading so far
    decoder.finish()

Viterbi beam search (kaldi-decoder's FasterDecoder) over a graph of pronunciations and an
n-gram. Unlike the greedy mode a word may still change while the words after it are heard;
`GraphDecoder.stable` counts those that are old enough to be shown.
"""

from __future__ import annotations

import numpy as np

from streamasr.core.graph import (
    Floats,
    GraphWord,
    SearchGraph,
    import_kaldi,
    silence_run,
    word_spans,
)
from streamasr.core.rescore import Rescorer


class GraphDecoder:
    """Searches one utterance; `reset` makes it ready for the next. Not thread-safe."""

    def __init__(self, graph: SearchGraph, rescorer: Rescorer | None = None) -> None:
        """With a ``rescorer`` the last reading is chosen by both heads of the model."""
        self._graph = graph
        self._rescorer = rescorer
        self._kaldi, self._kaldifst = import_kaldi()
        options = graph.options
        config = self._kaldi.FasterDecoderOptions(beam=options.beam, max_active=options.max_active)
        self._search = self._kaldi.FasterDecoder(graph.fst, config)
        self.reset()

    def reset(self) -> None:
        """Forget the utterance."""
        self._search.init_decoding()
        self.emissions = 0
        """Emissions seen."""
        self.words: tuple[GraphWord, ...] = ()
        """The best reading so far; a word that could still become another is left out."""
        self.stable = 0
        """How many of ``words``, from the first, are old enough to be shown."""
        self.silence_run = 0
        """Emissions of silence at the end of the best reading."""
        self._heard: list[Floats] = []
        self._units: list[Floats] = []
        self._path: tuple[list[int], list[int], list[tuple[int, int]]] = [], [], []

    def push(self, log_probs: Floats, units: Floats | None = None) -> tuple[GraphWord, ...]:
        """Take log posteriors [emissions, phones]; returns the stable words so far.

        ``units`` are the other head's log-probabilities [emissions, units]; a rescorer
        needs them.
        """
        if len(log_probs):
            scores = self._graph.scores(log_probs)
            self._search.advance_decoding(self._kaldi.DecodableCtc(scores, offset=self.emissions))
            self.emissions += len(log_probs)
            self._heard.append(np.asarray(log_probs, np.float32))
            if units is not None and self._rescorer is not None:
                self._units.append(np.asarray(units, np.float32))
            self._trace(is_last=False)
        return self.words[: self.stable]

    def finish(self) -> tuple[GraphWord, ...]:
        """End the utterance: the best reading that the language model lets end here."""
        if self.emissions:
            self._trace(is_last=True)
            if self._rescorer is not None and self._units and self.words:
                units = np.concatenate(self._units)
                chosen = self._rescorer.choose(self._posteriors(), units)
                if chosen is not None:
                    self._read(*chosen, is_last=True)
        return self.words

    def _posteriors(self) -> Floats:
        """All log posteriors so far [emissions, phones]."""
        if len(self._heard) > 1:
            self._heard = [np.concatenate(self._heard)]
        return self._heard[0]

    def _trace(self, *, is_last: bool) -> None:
        """Trace the best path back into words."""
        found, path = self._search.get_best_path(use_final_probs=is_last)
        if found:
            _, labels, outputs, _ = self._kaldifst.get_linear_symbol_sequence(path)
            self._read(labels, outputs, is_last=is_last)

    def _read(self, labels: list[int], outputs: list[int], *, is_last: bool) -> None:
        heard = self._posteriors()
        spans = word_spans(labels)
        same = self._unchanged(labels, outputs, spans)
        fresh = zip(outputs[same:], spans[same:], strict=False)
        self.words = (
            *self.words[:same],
            *(self._graph.word(output, span, labels, heard) for output, span in fresh),
        )
        self._path = labels, outputs, spans
        self.silence_run = silence_run(labels)
        settled = self.emissions if is_last else self.emissions - self._graph.options.settle
        self.stable = sum(end <= settled for _, end in spans[: len(self.words)])

    def _unchanged(
        self, labels: list[int], outputs: list[int], spans: list[tuple[int, int]]
    ) -> int:
        """How many of the words of the last reading stand as they were."""
        old_labels, old_outputs, old_spans = self._path
        known = min(len(self.words), len(spans), len(outputs))
        for index in range(known):
            span = slice(*spans[index])
            if (
                outputs[index] != old_outputs[index]
                or spans[index] != old_spans[index]
                or labels[span] != old_labels[span]
            ):
                return index
        return known
