"""The largest number of streams is found, and texts that differ are seen."""

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.throughput import Playback, Trial, compare, largest, measure, try_streams
from streamasr.core.model import Emissions
from streamasr.edge.engines import open_engine
from streamasr.edge.engines.base import Ints, SlottedEngine
from tests.conftest import noise

STEP_S = 0.08


def taking(ms_a_stream: float, tried: list[int]) -> object:
    def try_(streams: int) -> Trial:
        tried.append(streams)
        empty = np.zeros((0, 0), int)
        return Trial(streams, np.full(9, streams * ms_a_stream / 1000), empty, empty)

    return try_


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 64, 100, 501, 1000])
def test_the_largest_number_is_found_to_three_percent(limit: int) -> None:
    tried: list[int] = []
    found = largest(taking(80 / (limit + 0.5), tried), STEP_S, 4096)  # type: ignore[arg-type]
    assert found <= limit <= max(found + 1, found * 1.03)
    assert len(tried) < 20


@pytest.mark.parametrize("most", [1, 2, 100, 128])
def test_no_more_are_tried_than_may_be(most: int) -> None:
    tried: list[int] = []
    assert largest(taking(0.0, tried), STEP_S, most) == most  # type: ignore[arg-type]
    assert max(tried) == most


def test_an_engine_that_is_too_slow_for_one_carries_none() -> None:
    assert largest(taking(100.0, []), STEP_S, 8) == 0  # type: ignore[arg-type]


@pytest.fixture
def engine(tiny_bundle: Path) -> SlottedEngine:
    return open_engine(tiny_bundle, device="cpu", capacity=8)


@pytest.fixture
def playback(engine: SlottedEngine) -> Playback:
    size = engine.facts.step_samples
    return Playback([noise(n * size + 100, seed=n) for n in (3, 5)], engine.facts)


def test_clips_follow_each_other_in_whole_steps(playback: Playback, engine: SlottedEngine) -> None:
    lengths = [n + 1 + engine.facts.tail_steps for n in (3, 5)]
    assert [clip.stop - clip.start for clip in playback.clips] == lengths
    assert np.flatnonzero(playback.first).tolist() == [0, lengths[0]]
    assert playback.ticks == 2 * lengths[1]


def test_streams_hear_what_each_hears_alone(engine: SlottedEngine, playback: Playback) -> None:
    trial = try_streams(engine, playback, 5, playback.ticks)
    found = compare(trial, playback, engine)
    assert found["texts"] == 5
    assert found["words"] > 0
    assert (found["different"], found["words_different"]) == (0, 0)
    assert engine.open() == 0


class Deaf(SlottedEngine):
    """Steps as another engine, and hears nothing in the stream of slot 1."""

    def __init__(self, engine: SlottedEngine) -> None:
        super().__init__(engine.capacity)
        self.engine, self.facts, self.device = engine, engine.facts, "test"
        self.inbox = engine.inbox

    def step_rows(self, slots: Ints) -> Emissions:
        answers = self.engine.step_rows(slots)
        answers.units[slots == 1] = np.eye(len(self.facts.units))[0]
        return answers

    def reset(self, slot: int) -> None:
        self.engine.reset(slot)


def test_another_text_is_counted(engine: SlottedEngine, playback: Playback) -> None:
    figures = measure(Deaf(engine), engine, [playback.steps[playback.clips[1]].flatten()])
    assert figures["streams"] == 8
    assert figures["texts"] == 8
    assert figures["different"] == 1
    assert figures["words_different"] == figures["words"] / 8
    assert 0 < figures["one_stream_rtf"] < 1
