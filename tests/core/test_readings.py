"""The best few readings against those of the lattice that the reference decoder makes."""

from __future__ import annotations

from itertools import pairwise

import kaldi_decoder
import kaldifst
import numpy as np
import pytest

from streamasr.core.graphsearch import GraphSearch
from streamasr.core.readings import Path as Way
from streamasr.core.readings import Reading, best_readings
from tests.core.test_graphsearch import labelled, reference  # noqa: F401
from tests.graphs import SPOKEN, muddle, toy_model

WITHIN = 7.0
MODEL = toy_model(beam=60.0, lattice_beam=WITHIN)


def searched(seed: int) -> GraphSearch:
    search = GraphSearch(MODEL)
    search.push(MODEL.scores(muddle(SPOKEN, seed)))
    return search


def readings(search: GraphSearch, most: int = 1000) -> list[Reading]:
    return list(best_readings(search.frames, *search.endings(), within=WITHIN, most=most))


def of_the_reference(fst: object, seed: int) -> dict[tuple[int, ...], float]:
    """Words -> cost above the best one, of every reading in the reference's lattice."""
    config = kaldi_decoder.LatticeSimpleDecoderConfig(beam=60, lattice_beam=WITHIN)
    search = kaldi_decoder.LatticeSimpleDecoder(fst, config)
    scores = MODEL.scores(muddle(SPOKEN, seed))
    search.decode(kaldi_decoder.DecodableCtc(labelled(MODEL, scores)))
    _, lattice = search.get_raw_lattice()
    lines = []
    for line in lattice.to_str(show_weight_one=True).splitlines():
        *head, weights = line.split()
        cost = sum(float(weight) for weight in weights.split(","))
        labels = [head[3], head[3]] if len(head) == 4 else []
        lines.append(" ".join([*head[:2], *labels, str(cost)]))
    only_words = kaldifst.compile("\n".join(lines) + "\n")
    kaldifst.rmepsilon(only_words)
    best = kaldifst.shortest_path(kaldifst.determinize(only_words), n=400)
    found = {}
    for path in kaldifst.convert_nbest_to_vector(best):
        _, _, outputs, weight = kaldifst.get_linear_symbol_sequence(path)
        found[tuple(outputs)] = float(weight.value)
    least = min(found.values())
    return {words: cost - least for words, cost in found.items() if cost - least < WITHIN}


@pytest.mark.parametrize("seed", range(6))
def test_the_best_few_are_those_of_the_reference(reference: object, seed: int) -> None:  # noqa: F811
    found = readings(searched(seed))
    expected = of_the_reference(reference, seed)
    costs = {reading.path.words: reading.cost - found[0].cost for reading in found}
    assert len(costs) == len(found) > 3
    assert found[0].path.words == min(expected, key=expected.__getitem__)
    # of ways to say the same only the cheapest keeps its rivals, so a few are missed
    assert len(costs) > 0.6 * len(expected)
    for words, cost in costs.items():
        assert cost > expected[words] - 0.01
    assert np.median([cost - expected[words] for words, cost in costs.items()]) < 0.01


def test_they_come_in_order_and_no_more_than_wanted() -> None:
    found = readings(searched(0), most=4)
    assert len(found) == 4
    assert all(a.cost <= b.cost for a, b in pairwise(found))


def test_nothing_heard_has_no_reading() -> None:
    assert readings(GraphSearch(MODEL)) == []


def test_a_path_follows_the_best_and_says_what_changed() -> None:
    search, way = GraphSearch(MODEL), Way()
    scores = MODEL.scores(muddle(SPOKEN, 1))
    changes = []
    for row in scores:
        if search.push(row[None]):
            way.forget()
        changes.append(way.follow(search.frames, search.best()))
    fresh = Way()
    assert fresh.follow(search.frames, search.best()) == 0
    assert (fresh.labels, fresh.outputs) == (way.labels, way.outputs)
    assert all(change <= at for at, change in enumerate(changes))
    assert np.mean([at - change for at, change in enumerate(changes)]) < len(scores) / 2
