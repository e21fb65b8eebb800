"""Slots: lowest first, fresh when opened, refused when full, a mistake to close twice."""

import pytest

from streamasr.edge.engines.base import SlottedEngine
from streamasr.errors import CapacityError


class Counting(SlottedEngine):
    """Counts how often each slot was made fresh."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.fresh = [0] * capacity

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
