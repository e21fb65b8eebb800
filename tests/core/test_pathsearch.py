"""Both searches, the one in numpy and the compiled one, behind one face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamasr.core import nativesearch
from streamasr.core.graph import GraphModel
from streamasr.core.hotwords import HotWord, heat
from streamasr.core.nativesearch import NativeSearch
from streamasr.core.pathsearch import (
    PlainSearch,
    Search,
    path_search,
    silence_run,
    word_spans,
)
from streamasr.core.phones import ENTER, PHONE_IDS, SILENCE, START_WORD, STAY
from tests.graphs import SPOKEN, muddle, phones, toy_model


def without_ties(model: GraphModel, seed: int) -> GraphModel:
    """The round costs of the toy make ways that cost the same to the bit; either may win."""
    rng = np.random.default_rng(seed)
    names = ("costs", "end_costs", "shorter_costs")
    costs = {name: getattr(model.graph, name) for name in names}
    jittered = {
        name: values + rng.uniform(0, 0.01, values.shape).astype(np.float32)
        for name, values in costs.items()
    }
    return replace(model, graph=replace(model.graph, **jittered))


def pushed(search: Search, rows: np.ndarray) -> list[int]:
    return [search.push(row[None])[0] for row in rows]


@pytest.mark.parametrize("kind", [PlainSearch, path_search])
def test_the_best_path_and_what_it_says(kind: type[PlainSearch]) -> None:
    model = toy_model()
    search = kind(model)
    quiet = pushed(search, phones())
    assert search.emissions == len(quiet) == len(search.path().labels)
    assert quiet[-1] == silence_run(search.path().labels) == 10
    said = [model.graph.word(output) for output in search.words(search.emissions)]
    assert said == ["turn", "on", "the", "light"]
    assert search.words(8) == search.words(search.emissions)[:2]
    assert search.readings()[0].path.words == search.words(search.emissions)
    assert search.memory_bytes > 0


@pytest.mark.parametrize("kind", [PlainSearch, path_search])
def test_many_emissions_at_once_stop_where_silence_has_lasted(kind: type[PlainSearch]) -> None:
    rows = phones()
    whole, cut = kind(toy_model()), kind(toy_model())
    quiet, taken = whole.push(rows)
    assert (taken, whole.emissions) == (len(rows), len(rows))
    steps = []
    while len(rows):
        quiet_now, taken = cut.push(rows, early=5)
        steps.append((quiet_now, taken))
        rows = rows[taken:]
    assert [quiet for quiet, _ in steps[:-1]] == [5] * (len(steps) - 1)
    assert len(steps) > 1
    assert steps[-1][0] == quiet
    assert cut.path().labels == whole.path().labels


def test_hot_words_are_searched_in_numpy() -> None:
    model = toy_model()
    hot = heat(model, [HotWord("turn")])
    assert isinstance(path_search(model, hot), PlainSearch) or not hot.entries.size
    assert isinstance(path_search(toy_model(max_active=100_000)), PlainSearch)


def test_without_the_library_all_is_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nativesearch, "is_available", lambda: False)
    assert isinstance(path_search(toy_model()), PlainSearch)


needs_library = pytest.mark.skipif(
    not nativesearch.is_available(), reason="not compiled: python hatch_build.py, with a C compiler"
)


@needs_library
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dials", [{}, {"beam": 30.0, "lattice_beam": 25.0}, {"max_active": 5}])
def test_both_searches_agree(seed: int, dials: dict[str, float]) -> None:
    model = without_ties(toy_model(**dials), seed)
    plain, native = PlainSearch(model), NativeSearch(model)
    for part in range(4):
        for row in muddle(SPOKEN, 10 * seed + part):
            assert native.push(row[None]) == plain.push(row[None])
            end = plain.emissions
            assert native.words(end) == plain.words(end)
            assert native.agreed(1.0, 15) == plain.agreed(1.0, 15)
        assert native.path().labels == plain.path().labels
        ours, theirs = native.readings(), plain.readings()
        assert [r.path.words for r in ours] == [r.path.words for r in theirs]
        assert [r.path.labels for r in ours] == [r.path.labels for r in theirs]
        assert [r.cost for r in ours] == pytest.approx([r.cost for r in theirs])


def test_word_spans_end_at_the_next_word_or_a_pause() -> None:
    t, n = PHONE_IDS["T"], PHONE_IDS["N"]
    labels = [
        ENTER + SILENCE, STAY + SILENCE, START_WORD + t, STAY + t, ENTER + n,
        START_WORD + n, ENTER + SILENCE, ENTER + SILENCE, START_WORD + t,
    ]  # fmt: skip
    assert word_spans(labels) == [(2, 5), (5, 6), (8, 9)]
    assert word_spans([]) == []
    assert silence_run(labels) == 0
    assert silence_run(labels[:2]) == silence_run(labels[:-1]) == 2


def said(search: Search) -> list[tuple[list[int], list[int], float]]:
    return [(each.path.labels, each.path.outputs, each.cost) for each in search.readings()]


@pytest.mark.parametrize("kind", [PlainSearch, path_search])
@pytest.mark.parametrize("seed", range(4))
def test_settling_forgets_the_other_ways_there_and_changes_nothing_after(
    kind: type[PlainSearch], seed: int
) -> None:
    model = without_ties(toy_model(beam=30.0, lattice_beam=6.0, candidates=1000), seed)
    free, bound = kind(model), kind(model)
    settled = 0
    for part in range(6):
        for row in muddle(SPOKEN, 10 * seed + part, noise=0.5):
            free.push(row[None])
            bound.push(row[None])
        if meeting := bound.narrow(bound.emissions - 3):
            assert settled < meeting <= bound.emissions - 3
            settled = meeting
            bound.settle(bound.path(), settled)
            assert bound.narrow(settled) == 0
        assert bound.path().labels == free.path().labels
        assert bound.words(bound.emissions) == free.words(free.emissions)
        assert bound.agreed(1.0, 15) == max(free.agreed(1.0, 15), settled)
        begin = bound.path()
        every, left = said(free), said(bound)
        if len(every) < 1000:  # all that there are
            assert left == [
                (labels, outputs, pytest.approx(cost))
                for labels, outputs, cost in every
                if labels[:settled] == begin.labels[:settled]
                and outputs[:settled] == begin.outputs[:settled]
            ]
    assert settled > 100
    assert bound.memory_bytes < free.memory_bytes


@pytest.mark.parametrize("kind", [PlainSearch, path_search])
def test_what_is_settled_is_what_was_chosen(kind: type[PlainSearch]) -> None:
    search = kind(without_ties(toy_model(beam=30.0, lattice_beam=12.0), 1))
    for seed in range(2):
        for row in muddle(SPOKEN, seed, noise=0.5):
            search.push(row[None])
    settled = search.narrow(search.emissions - 3)
    best = search.path().labels[:settled]
    other = next(r.path for r in search.readings() if r.path.labels[:settled] != best)
    search.settle(other, settled)
    assert search.path().labels[:settled] == other.labels[:settled]
    assert search.path().outputs[:settled] == other.outputs[:settled]
    assert all(r.path.labels[:settled] == other.labels[:settled] for r in search.readings())
