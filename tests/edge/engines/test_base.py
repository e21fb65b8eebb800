"""Slots: lowest first, fresh when opened, refused when full, a mistake to close twice."""

import numpy as np
import pytest

from streamasr.core.model import Emissions
from streamasr.edge.engines.base import Ints, SlottedEngine
from streamasr.errors import CapacityError


class Counting(SlottedEngine):
    """Counts how often each slot was made fresh; answers with samples and slots."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.fresh = [0] * capacity
        self.inbox = np.zeros((capacity, 2), np.float32)
        self.answers = np.zeros((capacity, 1, 3), np.float32)

    def step_rows(self, slots: Ints) -> Emissions:
        rows = slice(0, len(slots))
        self.answers[rows, 0] = np.column_stack([self.inbox[rows], slots])
        return Emissions(self.answers[rows])

    def reset(self, slot: int) -> None:
        self.fresh[slot] += 1


def test_slots_are_claimed_lowest_first_and_made_fresh_each_time() -> None:
    engine = Counting(3)
    assert [engine.open(), engine.open(), engine.open()] == [0, 1, 2]
    engine.close(1)
    assert engine.open() == 1
    assert engine.fresh == [1, 2, 1]


def test_a_full_engine_says_how_many_there_are() -> None:
    engine = Counting(1)
    engine.open()
    with pytest.raises(CapacityError, match="all 1 streams"):
        engine.open()


def test_giving_back_what_was_not_claimed_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Counting(1).close(0)


def test_a_list_becomes_rows_and_answers_become_copies() -> None:
    engine = Counting(3)
    ones, twos = np.full(2, 1, np.float32), np.full(2, 2, np.float32)
    answers = engine.step([(2, ones), (0, twos)])
    assert [a.units.tolist() for a in answers] == [[[1, 1, 2]], [[2, 2, 0]]]
    assert all(a.phones is None for a in answers)
    engine.answers[:] = 0
    assert answers[0].units.any()
