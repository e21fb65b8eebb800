"""Greedy collapse against its textbook twin, cut anywhere."""

from __future__ import annotations

from itertools import groupby
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from streamasr.core.ctc import GreedyCtc, Token


def emissions(units: list[int], probabilities: list[float] | None = None) -> NDArray[np.float32]:
    """Log-probabilities [emissions, 4] whose best units are these."""
    out = np.full((len(units), 4), 1e-3, np.float32)
    for row, unit in enumerate(units):
        out[row, unit] = probabilities[row] if probabilities else 0.9
    return np.log(out)


def test_a_worked_example() -> None:
    ctc = GreedyCtc()
    new = ctc.push(emissions([0, 1, 1, 0, 1, 2], [0.9, 0.5, 0.75, 0.9, 0.25, 0.5]))
    assert [token.id for token in new] == [1, 1, 2]
    assert [(token.start, token.end) for token in ctc.tokens] == [(1, 3), (4, 5), (5, 6)]
    assert [token.confidence for token in ctc.tokens] == pytest.approx([0.75, 0.25, 0.5])


def test_a_token_is_told_at_its_first_emission_and_stretches_later() -> None:
    ctc = GreedyCtc()
    (token,) = ctc.push(emissions([3], [0.5]))
    assert token == Token(3, 0, 1, pytest.approx(0.5))
    assert ctc.push(emissions([3, 3], [0.75, 0.5])) == []
    assert ctc.tokens == [Token(3, 0, 3, pytest.approx(0.75))]


def test_a_repeat_after_a_blank_is_a_new_token_even_across_the_cut() -> None:
    ctc = GreedyCtc()
    ctc.push(emissions([2, 0]))
    assert [token.id for token in ctc.push(emissions([2]))] == [2]


def test_the_blank_run_counts_from_the_last_token() -> None:
    ctc = GreedyCtc()
    runs = []
    for unit in [0, 0, 1, 1, 0, 0, 0, 2]:
        ctc.push(emissions([unit]))
        runs.append(ctc.blank_run)
    assert runs == [1, 2, 0, 0, 1, 2, 3, 0]


def test_reset_forgets_the_last_token() -> None:
    ctc = GreedyCtc()
    ctc.push(emissions([0, 1, 0]))
    ctc.reset()
    assert (ctc.tokens, ctc.blank_run, ctc.emissions) == ([], 0, 0)
    assert ctc.push(emissions([1])) == [Token(1, 0, 1, pytest.approx(0.9))]


def test_a_probability_that_was_rounded_up_is_no_more_than_certain() -> None:
    ctc = GreedyCtc()
    ctc.push(np.array([[-20.0, 1e-6]], np.float32))
    assert ctc.tokens == [Token(1, 0, 1, 1.0)]


def test_what_a_writer_says_twice_is_two_tokens() -> None:
    written = np.array([[2, np.log(0.5)], [2, np.log(0.25)], [0, 0.0]], np.float32)
    ctc = GreedyCtc()
    told = ctc.push_written(written)
    assert told == [Token(2, 0, 1, pytest.approx(0.5)), Token(2, 1, 2, pytest.approx(0.25))]
    assert ctc.blank_run == 1


def test_another_unit_can_be_the_blank() -> None:
    ctc = GreedyCtc(blank=3)
    assert [token.id for token in ctc.push(emissions([3, 0, 3, 0]))] == [0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_equals_groupby(seed: int) -> None:
    rng = Random(seed)
    units = [rng.choice((0, 0, 1, 2, 3)) for _ in range(200)]
    probabilities = [rng.uniform(0.3, 1.0) for _ in units]
    rows = emissions(units, probabilities)
    expected, at = [], 0
    for unit, run in groupby(units):
        end = at + len(list(run))
        if unit:
            expected.append(Token(unit, at, end, pytest.approx(max(probabilities[at:end]))))
        at = end
    ctc, told, cut = GreedyCtc(), [], 0
    while cut < len(rows):
        size = rng.randint(0, 7)
        told += ctc.push(rows[cut : cut + size])
        cut += size
    assert ctc.tokens == expected
    assert [(token.id, token.start) for token in told] == [(t.id, t.start) for t in expected]
    assert ctc.emissions == len(units)
