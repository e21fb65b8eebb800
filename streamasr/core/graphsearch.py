"""Viterbi beam search over a search graph, an emission at a time, remembering rivals.

    search = GraphSearch(model)
    search.push(model.scores(log_probs))
    search.trace(search.best())

Any path through a token may go the way of one of its rivals instead, for the difference in
cost: paths and rivals are the lattice that `core.readings` draws from, so that the last
choice needs no second search. Of two ways to say the same words only the cheaper is kept,
with its rivals: a few readings are lost for that, and room is won for more different ones.
What cannot be reached any more, or only at more than the lattice beam, is dropped every
`TIDY` emissions.

In a frame the tokens at roots come first. They take their steps from the sounding tokens
that they came from, so that each step back is one emission.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamasr.core.graph import Floats, GraphModel
from streamasr.core.hotwords import HotWords
from streamasr.core.phones import ENTER, SILENCE, START_WORD, STAY
from streamasr.core.tokens import Frame, Ints, Rivals, Steps, Tokens, compete, spread

TIDY = 16
MIX = np.uint64(0x9E3779B97F4A7C15)


class GraphSearch:
    """The search of one utterance; `reset` makes it ready for the next."""

    def __init__(self, model: GraphModel, hot: HotWords | None = None) -> None:
        self._hot = hot if hot is not None and len(hot.entries) else None
        self._graph = model.graph
        self._options = model.options
        self.reset()

    def reset(self) -> None:
        """Forget the utterance."""
        self.frames: list[Frame] = []
        self._tidied = 0
        nothing = np.zeros(1, np.int32)
        at_start = Tokens(
            nothing + np.int64(self._graph.start),
            np.zeros(1, np.float32),
            np.zeros(1, np.uint64),
            Steps(nothing, nothing.astype(np.uint8), nothing),
        )
        self.tokens, _, _ = compete(self._shorten(at_start), 0.0)

    def push(self, scores: Floats) -> bool:
        """Take scaled log likelihoods [emissions, phones]; says whether frames were renumbered."""
        is_tidied = False
        for row in scores:
            self._step(row)
            if len(self.frames) - self._tidied >= TIDY:
                self._tidy()
                is_tidied = True
        return is_tidied

    def forget(self, emissions: int) -> None:
        """Drop the first frames; all paths must go through one token of the last of them."""
        del self.frames[:emissions]
        self._tidied = max(0, self._tidied - emissions)

    def best(self) -> int:
        """The cheapest token."""
        return int(self.tokens.costs.argmin())

    def agreed(self, doubt: float, most: int) -> int:
        """Emissions up to which all readings within ``doubt`` of the best have one path.

        Looks back ``most`` emissions at most; 0 where they agree on none of those.
        """
        tokens = self.tokens
        near = np.flatnonzero(tokens.costs <= tokens.costs.min() + doubt)
        near = near[np.argsort(tokens.costs[near], kind="stable")]
        _, firsts = np.unique(tokens.words[near], return_index=True)
        paths = near[firsts]
        for back in range(min(most, len(self.frames)) + 1):
            if len(paths) == 1:
                return len(self.frames) - back
            if back < len(self.frames):
                paths = np.unique(self.frames[-1 - back].steps.origins[paths])
        return 0

    def endings(self) -> tuple[Ints, Floats]:
        """Tokens where an utterance may end, with their costs; all where none may."""
        tokens, graph = self.tokens, self._graph
        resting = int(np.searchsorted(tokens.states, graph.roots))
        costs = tokens.costs[:resting] + graph.finals[tokens.states[:resting]]
        ends = np.flatnonzero(np.isfinite(costs))
        if len(ends):
            return ends, costs[ends]
        return np.arange(len(tokens)), tokens.costs

    # ---- one emission ----

    def _step(self, row: Floats) -> None:
        options = self._options
        found = self._advance(row)
        if len(found) > options.max_active:
            found = found[np.argpartition(found.costs, options.max_active)[: options.max_active]]
        _say(found, np.flatnonzero(found.steps.outputs))
        sounding, to, lost = compete(found, options.lattice_beam)
        ended = self._shorten(self._end(Tokens.join([sounding, lost])))
        resting, to_resting, beaten = compete(ended, options.lattice_beam)
        self.tokens = Tokens.join([resting, sounding])
        winners = np.concatenate([to_resting, to + np.int32(len(resting))])
        losers = Tokens.join([beaten, lost])
        deltas = losers.costs - self.tokens.costs[winners]
        self.frames.append(Frame(self.tokens.steps, Rivals(winners, deltas, losers.steps)))

    def _advance(self, row: Floats) -> Tokens:
        """The ways to take one more emission within the beam, costs counted from the cheapest."""
        graph, tokens = self._graph, self.tokens
        plain = int(np.searchsorted(tokens.states, len(graph.phones)))
        owners, arcs = spread(graph.firsts, tokens.states[:plain])
        goals = graph.goals[arcs]
        sounds = graph.phones[goals]
        resting = int(np.searchsorted(tokens.states, graph.roots))
        leaving = int(np.searchsorted(owners, resting))
        enter = np.float32(self._options.phone_cost) - row
        begin = enter + np.float32(self._options.word_cost)
        begin[SILENCE] = enter[SILENCE]
        costs = graph.costs[arcs] + tokens.costs[owners]
        costs[:leaving] += begin[sounds[:leaving]]
        costs[leaving:] += enter[sounds[leaving:]]
        held = tokens.states[resting:plain]
        stay_costs = tokens.costs[resting:plain] - row[graph.phones[held]]
        hot = None if self._hot is None else self._hot.advance(tokens, enter, begin, row)
        every = [costs, stay_costs] if hot is None else [costs, stay_costs, hot.costs]
        cheapest = min(float(part.min()) for part in every if len(part))
        limit = np.float32(cheapest + self._options.beam)
        near = np.flatnonzero(costs < limit)
        parts = [
            self._entered(near, owners[near], arcs[near], goals[near], leaving, costs[near]),
            self._stayed(np.flatnonzero(stay_costs < limit) + resting, stay_costs, resting),
        ]
        if hot is not None:
            parts.append(hot[hot.costs < limit])
        found = Tokens.join(parts)
        found.costs -= np.float32(cheapest)
        return found

    def _entered(
        self,
        rows: Ints,
        owners: Ints,
        arcs: Ints,
        goals: NDArray[np.int32],
        leaving: int,
        costs: Floats,
    ) -> Tokens:
        """Tokens that took arcs; the first ``leaving`` rows of all leave roots."""
        graph = self._graph
        sounds = graph.phones[goals]
        labels = sounds + np.uint8(ENTER)
        labels[(rows < leaving) & (sounds != SILENCE)] += np.uint8(START_WORD - ENTER)
        steps = Steps(owners.astype(np.int32), labels, graph.outputs[arcs])
        return Tokens(goals.astype(np.int64), costs, self.tokens.words[owners], steps)

    def _stayed(self, rows: Ints, costs: Floats, first: int) -> Tokens:
        """Tokens whose phone goes on; ``costs`` are those of the rows from ``first`` on."""
        states = self.tokens.states[rows]
        labels = self._graph.phones[states] + np.uint8(STAY)
        steps = Steps(rows.astype(np.int32), labels, np.zeros(len(rows), np.int32))
        return Tokens(states, costs[rows - first], self.tokens.words[rows], steps)

    def _end(self, sounding: Tokens) -> Tokens:
        """The tokens at roots that words and pauses which end here lead to."""
        graph, hot = self._graph, self._hot
        leaving = None if hot is None else hot.end(sounding)
        if leaving is not None:
            sounding = sounding[sounding.states < len(graph.phones)]
        owners, ends = spread(graph.end_firsts, sounding.states - graph.roots)
        costs = sounding.costs[owners] + graph.end_costs[ends]
        near = np.flatnonzero(costs < self._options.beam)
        owners, ends = owners[near], ends[near]
        ended = sounding[owners]
        ended.states = graph.end_goals[ends].astype(np.int64)
        ended.costs = costs[near]
        outputs = graph.end_outputs[ends]
        says = np.flatnonzero(outputs)
        ended.steps.outputs[says] = outputs[says]
        _say(ended, says)
        return ended if leaving is None else Tokens.join([ended, leaving])

    def _shorten(self, resting: Tokens) -> Tokens:
        """The tokens at roots, and those that go on from there with shorter histories."""
        graph = self._graph
        every, last = [resting], resting
        while len(last):
            shorter = graph.shorter[last.states].astype(np.int64)
            costs = last.costs + graph.shorter_costs[last.states]
            going = np.flatnonzero((shorter != last.states) & (costs < self._options.beam))
            last = last[going]
            last.states, last.costs = shorter[going], costs[going]
            every.append(last)
        return Tokens.join(every)

    # ---- tidying ----

    def _tidy(self) -> None:
        """Drop what no token can be traced back to, and rivals beyond the lattice beam."""
        extra = np.zeros(len(self.tokens), np.float32)
        for at in range(len(self.frames) - 1, 0, -1):
            frame, before = self.frames[at], self.frames[at - 1]
            rivals = frame.rivals
            rival_extra = rivals.deltas + extra[rivals.winners]
            rivals = rivals[rival_extra < self._options.lattice_beam]
            rival_extra = rival_extra[rival_extra < self._options.lattice_beam]
            earlier = np.full(len(before.steps.labels), np.inf, np.float32)
            np.minimum.at(earlier, frame.steps.origins, extra)
            np.minimum.at(earlier, rivals.steps.origins, rival_extra)
            kept = np.flatnonzero(np.isfinite(earlier))
            is_unchanged = len(kept) == len(earlier) and len(rivals) == len(frame.rivals)
            if is_unchanged and at < self._tidied:
                break
            renumbered = np.cumsum(np.isfinite(earlier), dtype=np.int32) - np.int32(1)
            frame.steps.origins = renumbered[frame.steps.origins]
            rivals.steps.origins = renumbered[rivals.steps.origins]
            frame.rivals = rivals
            before.steps = before.steps[kept]
            staying = np.isfinite(earlier)[before.rivals.winners]
            before.rivals = before.rivals[staying]
            before.rivals.winners = renumbered[before.rivals.winners]
            extra = earlier[kept]
        self._tidied = len(self.frames)


def _say(tokens: Tokens, rows: NDArray[np.intp]) -> None:
    """Put the outputs of tokens into their hashes of words."""
    said = tokens.steps.outputs[rows].astype(np.uint64)
    tokens.words[rows] = (tokens.words[rows] + said) * MIX
