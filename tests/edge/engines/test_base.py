"""Slots: lowest first, refused when full, a mistake when given back twice."""

import pytest

from streamasr.edge.engines.base import Slots
from streamasr.errors import CapacityError


def test_slots_are_claimed_lowest_first_and_reused() -> None:
    slots = Slots(3)
    assert [slots.claim(), slots.claim(), slots.claim()] == [0, 1, 2]
    slots.release(1)
    assert len(slots) == 2
    assert slots.claim() == 1


def test_a_full_pool_says_how_many_there_are() -> None:
    slots = Slots(1)
    slots.claim()
    with pytest.raises(CapacityError, match="all 1 streams"):
        slots.claim()


def test_giving_back_what_was_not_claimed_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Slots(1).release(0)
