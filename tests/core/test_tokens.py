from __future__ import annotations

import numpy as np

from streamasr.core.tokens import Steps, Tokens, compete, spread


def tokens(rows: list[tuple[int, float, int]]) -> Tokens:
    """Tokens of (state, cost, words); each remembers its row as its origin."""
    states, costs, words = zip(*rows, strict=True)
    count = len(rows)
    return Tokens(
        np.array(states, np.int64),
        np.array(costs, np.float32),
        np.array(words, np.uint64),
        Steps(
            np.arange(count, dtype=np.int32), np.zeros(count, np.uint8), np.zeros(count, np.int32)
        ),
    )


def test_the_cheapest_of_a_state_wins_and_rivals_said_other_words() -> None:
    found = tokens([(7, 1.0, 1), (3, 5.0, 1), (7, 0.5, 2), (3, -1.0, 1), (7, 9.0, 3), (7, 2.0, 2)])
    winners, to, lost = compete(found, 3.0)
    assert winners.states.tolist() == [3, 7]
    assert winners.steps.origins.tolist() == [3, 2]
    assert to.tolist() == [1]
    assert lost.steps.origins.tolist() == [0]


def test_costs_below_zero_are_in_order_too() -> None:
    rng = np.random.default_rng(0)
    costs = rng.standard_normal(200) * 10
    states = rng.integers(0, 9, 200)
    winners, _, _ = compete(
        tokens([(int(s), float(c), 0) for s, c in zip(states, costs, strict=True)]), 0.0
    )
    expected = [costs[states == state].min() for state in np.unique(states)]
    np.testing.assert_allclose(winners.costs, expected, rtol=1e-6)


def test_rows_are_spread_into_their_entries() -> None:
    firsts = np.array([0, 2, 2, 5], np.uint32)
    owners, entries = spread(firsts, np.array([2, 1, 0]))
    assert owners.tolist() == [0, 0, 0, 2, 2]
    assert entries.tolist() == [2, 3, 4, 0, 1]


def test_columns_are_joined_with_all_that_is_in_them() -> None:
    both = Tokens.join([tokens([(1, 0.0, 5)]), tokens([(2, 1.0, 6), (3, 2.0, 7)])])
    assert both.states.tolist() == [1, 2, 3]
    assert both.steps.origins.tolist() == [0, 0, 1]
    assert len(both) == 3
