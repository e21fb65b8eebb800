from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from numpy.typing import NDArray

from streamasr.core.graph import SearchGraph
from streamasr.core.graphsearch import GraphDecoder
from streamasr.core.rescore import RescoreOptions, Rescorer, Speller, ctc_log_probs
from streamasr.core.units import BLANK_SYMBOL, Units
from tests.core.test_graph import SPOKEN, emissions, graph  # noqa: F401

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
UNITS = Units((BLANK_SYMBOL, "▁t", "ig", "igh", "▁l", "ight", "▁light", "▁", *LETTERS))


def spell(text: str) -> list[int]:
    speller = Speller(UNITS)
    return [unit for word in text.split() for unit in speller.spell(word)]


def heard(text: str, rows: int) -> NDArray[np.float32]:
    """Log-probabilities [rows, units] in which the units of a text are clear."""
    out = np.full((rows, len(UNITS)), 0.001, np.float32)
    ids = spell(text)
    best = np.zeros(rows, np.int64)
    best[np.linspace(0, rows - 1, 2 * len(ids)).astype(int)[::2]] = ids
    out[np.arange(rows), best] = 0.9
    return np.log(out)


def test_pairs_are_merged_in_the_order_they_were_learnt() -> None:
    assert [UNITS.symbols[i] for i in spell("light tight")] == ["▁light", "▁t", "ight"]
    assert UNITS.text(spell("light the night")) == "light the night"
    assert Speller(UNITS).spell("naïve") == ()


@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
def test_ctc_is_the_sum_over_all_paths(target: list[int]) -> None:
    rng = np.random.default_rng(len(target))
    probs = rng.dirichlet(np.ones(3), size=5)
    total = 0.0
    for path in product(range(3), repeat=5):
        merged = [u for i, u in enumerate(path) if u and (i == 0 or path[i - 1] != u)]
        if merged == target:
            total += float(np.prod(probs[np.arange(5), path]))
    logs = np.log(probs).astype(np.float32)
    others = [[2], [1, 2, 1]]
    found = ctc_log_probs(logs, [others[0], target, others[1]])
    assert np.exp(found[1]) == pytest.approx(total, rel=1e-5, abs=1e-12)


def decode(graph: SearchGraph, units: NDArray[np.float32], weight: float) -> str:  # noqa: F811
    options = RescoreOptions(weight=weight, beam=30, lattice_beam=25)
    decoder = GraphDecoder(graph, Rescorer(graph, UNITS, options))
    phones = emissions(SPOKEN, 0.3)
    decoder.push(phones[:10], units[:10])
    decoder.push(phones[10:], units[10:])
    words = decoder.finish()
    assert all(0 <= a.start < a.end <= b.start + 1e-6 for a, b in pairwise(words))
    return " ".join(word.text for word in words)


def test_the_other_head_can_change_the_reading(graph: SearchGraph) -> None:  # noqa: F811
    rows = len(SPOKEN.split())
    units = heard("turn off the light", rows)
    assert decode(graph, units, 0.0) == "turn on the light"
    assert decode(graph, units, 1.0) == "turn off the light"


def test_without_units_the_first_reading_stands(graph: SearchGraph) -> None:  # noqa: F811
    decoder = GraphDecoder(graph, Rescorer(graph, UNITS))
    decoder.push(emissions(SPOKEN))
    assert [word.text for word in decoder.finish()] == ["turn", "on", "the", "light"]


def test_silence_stays_silence(graph: SearchGraph) -> None:  # noqa: F811
    decoder = GraphDecoder(graph, Rescorer(graph, UNITS))
    decoder.push(emissions("SIL SIL SIL"), heard("", 3))
    assert decoder.finish() == ()
