"""The vocabulary of events: closed, frozen, and as promised."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import get_args

import pytest

from streamasr.core import events
from streamasr.core.events import (
    Alternative,
    Event,
    Final,
    Gap,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Word,
)


def test_the_union_holds_every_event_class_of_the_module() -> None:
    classes = {
        value
        for value in vars(events).values()
        if inspect.isclass(value) and is_dataclass(value) and value not in (Word, Alternative)
    }
    assert set(get_args(Event)) == classes
    assert classes == {SpeechStarted, Partial, Final, SpeechEnded, Gap}


def test_events_cannot_be_changed_and_hold_nothing_else() -> None:
    gap = Gap(at=0, samples=1)
    with pytest.raises(FrozenInstanceError):
        gap.at = 1  # type: ignore[misc]
    for event in get_args(Event):
        assert "__slots__" in vars(event)


def test_equal_fields_make_equal_events() -> None:
    word = Word("so", 0, 10, 0.5)
    assert Partial(1, "so", 0, 10, (word,)) == Partial(1, "so", 0, 10, (Word("so", 0, 10, 0.5),))


def test_every_reason_has_a_place_in_final() -> None:
    reasons = get_args(events.EndReason)
    assert set(reasons) == {"silence", "trailing_blank", "length", "finish"}
    assert "reason" in {field.name for field in fields(Final)}
