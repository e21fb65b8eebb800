"""The search against the reference decoder of Kaldi, on the same graph and the same scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import pytest
from numpy.typing import NDArray

from streamasr.core.graph import GraphModel
from streamasr.core.graphsearch import TIDY, GraphSearch
from streamasr.core.phones import ENTER, LABELS, PHONES, SILENCE, START_WORD, STAY
from streamasr.core.readings import Path as Way
from tests.graphs import SPOKEN, muddle, phones, toy_arcs, toy_model

WIDE = {"beam": 60.0, "lattice_beam": 8.0}
LONG = " ".join([SPOKEN] * 3)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file: Path = tmp_path_factory.mktemp("graph") / "graph.fst"
    toy_arcs().write(file)
    return kaldifst.StdConstFst.read(str(file))


def labelled(model: GraphModel, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores [emissions, LABELS] as the reference wants them."""
    options, count = model.options, len(PHONES)
    out = np.empty((len(scores), LABELS), np.float32)
    out[:, STAY - 1 : STAY - 1 + count] = scores
    out[:, ENTER - 1 : ENTER - 1 + count] = scores - options.phone_cost
    out[:, START_WORD - 1 :] = scores - options.phone_cost - options.word_cost
    return out


def run(model: GraphModel, scores: NDArray[np.float32]) -> tuple[GraphSearch, Way]:
    search, way = GraphSearch(model), Way()
    search.push(scores)
    ends, costs = search.endings()
    way.follow(search.frames, int(ends[costs.argmin()]))
    return search, way


@pytest.mark.parametrize("seed", range(8))
def test_the_best_path_is_that_of_the_reference(reference: Any, seed: int) -> None:
    model = toy_model(**WIDE, phone_cost=-0.5, word_cost=0.7)
    scores = model.scores(muddle(LONG, seed))
    _, way = run(model, scores)
    decoder = kaldi_decoder.FasterDecoder(reference, kaldi_decoder.FasterDecoderOptions(beam=60))
    decoder.decode(kaldi_decoder.DecodableCtc(labelled(model, scores)))
    _, path = decoder.get_best_path()
    _, labels, outputs, _ = kaldifst.get_linear_symbol_sequence(path)
    assert way.labels == labels
    assert list(way.words) == outputs


@pytest.mark.parametrize("size", [1, 2, 3, 7, TIDY])
def test_any_cutting_gives_the_same(size: int) -> None:
    model = toy_model(beam=8.0)
    scores = model.scores(muddle(LONG, 3))
    whole, way = run(model, scores)
    cut, other = GraphSearch(model), Way()
    for start in range(0, len(scores), size):
        if cut.push(scores[start : start + size]):
            other.forget()
        other.follow(cut.frames, cut.best())
    ends, costs = cut.endings()
    other.follow(cut.frames, int(ends[costs.argmin()]))
    assert (other.labels, other.outputs) == (way.labels, way.outputs)
    np.testing.assert_array_equal(cut.tokens.costs, whole.tokens.costs)


def test_tidying_drops_most_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_model(beam=12.0)
    scores = model.scores(muddle(LONG, 5))
    tidy, way = run(model, scores)
    monkeypatch.setattr("streamasr.core.graphsearch.TIDY", 10_000)
    untidy, expected = run(model, scores)
    assert way.labels == expected.labels
    kept = sum(len(frame.steps.labels) for frame in tidy.frames)
    assert kept < 0.5 * sum(len(frame.steps.labels) for frame in untidy.frames)


def test_few_are_active_where_few_may_be() -> None:
    search, _ = run(toy_model(max_active=3), toy_model().scores(phones()))
    assert max(len(frame.steps.labels) for frame in search.frames) <= 3 * 4


def test_silence_pays_no_word() -> None:
    model = toy_model(word_cost=50.0)
    _, way = run(model, model.scores(phones("SIL SIL SIL")))
    assert way.words == ()
    assert all(label in (STAY + SILENCE, ENTER + SILENCE) for label in way.labels)


def test_readings_agree_up_to_where_their_paths_part() -> None:
    model = toy_model()
    search, _ = run(model, model.scores(muddle(LONG, 3)))
    nobody_else = search.agreed(0.0, 1000)
    assert nobody_else == len(search.frames)
    agreed = [search.agreed(doubt, 1000) for doubt in (0.0, 2.0, 5.0, 20.0)]
    assert agreed == sorted(agreed, reverse=True)
    assert agreed[-1] < len(search.frames)
    # the cheapest token of every other reading begins as the best one does
    costs, words = search.tokens.costs, search.tokens.words
    best = Way()
    best.follow(search.frames, search.best())
    for reading in np.unique(words[costs <= costs.min() + 20.0]):
        other = Way()
        token = min(np.flatnonzero(words == reading), key=lambda at: costs[at])
        other.follow(search.frames, int(token))
        assert other.labels[: agreed[-1]] == best.labels[: agreed[-1]]


def test_beyond_the_look_back_nothing_is_agreed() -> None:
    model = toy_model()
    search, _ = run(model, model.scores(muddle(LONG, 3)))
    whole = search.agreed(20.0, 1000)
    assert search.agreed(20.0, len(search.frames) - whole - 1) == 0
