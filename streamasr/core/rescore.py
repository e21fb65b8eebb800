"""The last word of the accurate mode: both heads choose among the best readings.

The search over phones leaves a lattice; its best distinct word sequences are scored again
by the sub-word head, with the exact CTC probability of their spelling, and the sum of both
decides. The two heads err differently, so this is worth several points of word error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats, SearchGraph, import_kaldi
from streamasr.core.units import BLANK, WORD_START, Units

Path = tuple[list[int], list[int]]
"""Input labels, one an emission, and output labels of a path."""


@dataclass(frozen=True, slots=True)
class RescoreOptions:
    """How wide to look, and how much the sub-word head counts."""

    candidates: int = 50
    beam: float = 12.0
    lattice_beam: float = 6.0
    """Readings whose cost is within this of the best."""
    weight: float = 0.6
    """Of the CTC log-probability against the cost of the path."""


class Rescorer:
    """Shared by all decoders of a model; keeps no state of an utterance."""

    def __init__(
        self, graph: SearchGraph, units: Units, options: RescoreOptions | None = None
    ) -> None:
        self._graph = graph
        self._options = options = options or RescoreOptions()
        self._kaldi, self._kaldifst = import_kaldi()
        self._config = self._kaldi.LatticeSimpleDecoderConfig(
            beam=options.beam, lattice_beam=options.lattice_beam
        )
        self._spell = lru_cache(maxsize=20_000)(Speller(units).spell)

    def choose(self, phones: Floats, units: Floats) -> Path | None:
        """The best path by both heads, or None where there is nothing to choose from.

        phones [emissions, phones] and units [emissions, units] are log-probabilities of a
        whole utterance.
        """
        search = self._kaldi.LatticeSimpleDecoder(self._graph.fst, self._config)
        search.decode(self._kaldi.DecodableCtc(self._graph.scores(phones)))
        found, raw = search.get_raw_lattice()
        if not found:
            return None
        rows = _rows(raw)
        costs, readings = self._candidates(rows)
        spelt = [self._spelling(reading) for reading in readings]
        usable = [i for i, ids in enumerate(spelt) if ids is not None]
        if not usable:
            return None
        logs = ctc_log_probs(units, [spelt[i] or [] for i in usable])
        totals = np.array([costs[i] for i in usable]) - self._options.weight * logs
        return self._path(rows, readings[usable[int(totals.argmin())]])

    def _candidates(self, rows: list[list[str]]) -> tuple[list[float], list[list[int]]]:
        """Costs and word labels of the best distinct readings, best first."""
        fst = self._kaldifst
        # words on both sides, so that paths that differ in timing alone fall together
        only_words = fst.compile("".join(_line(row, row[3:4] * 2) for row in rows))
        fst.rmepsilon(only_words)
        distinct = fst.determinize(only_words)
        best = fst.shortest_path(distinct, n=self._options.candidates)
        costs, readings = [], []
        for path in fst.convert_nbest_to_vector(best):
            _, _, outputs, weight = fst.get_linear_symbol_sequence(path)
            costs.append(float(weight.value))
            readings.append(outputs)
        return costs, readings

    def _path(self, rows: list[list[str]], reading: Sequence[int]) -> Path | None:
        """The best path of the lattice with these words."""
        fst = self._kaldifst
        lattice = fst.compile("".join(_line(row, row[2:4]) for row in rows))
        words = "".join(f"{i} {i + 1} {word} {word} 0\n" for i, word in enumerate(reading))
        wanted = fst.compile(f"{words}{len(reading)} 0\n")
        fst.arcsort(lattice, sort_type="olabel")
        best = fst.shortest_path(fst.compose(lattice, wanted))
        found, labels, outputs, _ = fst.get_linear_symbol_sequence(best)
        return (labels, outputs) if found and labels else None

    def _spelling(self, reading: Sequence[int]) -> list[int] | None:
        """Unit ids of a reading; None where a word cannot be spelt."""
        ids: list[int] = []
        for output in reading:
            spelt = self._spell(self._graph.words[output - 1])
            if not spelt:
                return None
            ids += spelt
        return ids


class Speller:
    """Byte-pair encoding by the order of the units, as they were learnt."""

    def __init__(self, units: Units) -> None:
        self._ids = {symbol: i for i, symbol in enumerate(units.symbols) if i != BLANK}

    def spell(self, word: str) -> tuple[int, ...]:
        """Unit ids of a word; empty where a letter has no unit."""
        pieces = [WORD_START, *word]
        absent = len(self._ids) + 1
        while len(pieces) > 1:
            ranks = [self._ids.get(a + b, absent) for a, b in pairwise(pieces)]
            best = min(ranks)
            if best == absent:
                break
            at = ranks.index(best)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        if any(piece not in self._ids for piece in pieces):
            return ()
        return tuple(self._ids[piece] for piece in pieces)


def ctc_log_probs(
    log_probs: NDArray[np.float32], targets: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """log P(target | emissions) for each target, by the forward algorithm (Graves 2006).

    log_probs [emissions, units], at least one emission; a target is a list of unit ids.
    """
    never = -1e30
    logs = log_probs.astype(np.float64)
    ends = np.array([2 * len(target) for target in targets])
    states = np.full((len(targets), int(ends.max()) + 1), BLANK)
    for row, target in zip(states, targets, strict=True):
        row[1 : 2 * len(target) : 2] = target
    may_skip = np.zeros(states.shape, np.bool_)
    may_skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    forward = np.full(states.shape, never)
    forward[:, :2] = logs[0][states[:, :2]]
    for row in logs[1:]:
        step = np.full(states.shape, never)
        step[:, 1:] = forward[:, :-1]
        skip = np.full(states.shape, never)
        skip[:, 2:] = np.where(may_skip[:, 2:], forward[:, :-2], never)
        forward = np.logaddexp(np.logaddexp(forward, step), skip) + row[states]
    rows = np.arange(len(targets))
    last = np.where(ends > 0, forward[rows, np.maximum(ends - 1, 0)], never)
    return np.asarray(np.logaddexp(forward[rows, ends], last))


def _rows(lattice: Any) -> list[list[str]]:
    """A raw lattice in text: from, to, input, output, cost; or state, final cost."""
    rows = []
    for line in lattice.to_str(show_weight_one=True).splitlines():
        fields = line.split()
        graph, _, acoustic = fields[-1].partition(",")
        rows.append([*fields[:-1], str(float(graph) + float(acoustic))])
    return rows


def _line(row: list[str], labels: list[str]) -> str:
    if len(row) < 4:
        return f"{row[0]} {row[1]}\n"
    return f"{row[0]} {row[1]} {' '.join(labels)} {row[4]}\n"
