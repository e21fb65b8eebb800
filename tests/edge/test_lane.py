from collections.abc import Callable

import pytest

from streamasr.core.audio import AudioDoor
from streamasr.core.options import StreamOptions
from streamasr.edge.lane import ITEM_BYTES, SLICE_BYTES, SLICES_PER_TURN, Delivery, Lane
from streamasr.errors import AudioFormatError, StreamClosed
from tests.edge.daemon import as_sent, expected, pcm
from tests.fakes import ScriptedEngine, silence, tone

OPTIONS = StreamOptions(vad=False)


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


def new_lane(engine: ScriptedEngine, options: StreamOptions = OPTIONS, rate: int = 16_000) -> Lane:
    door = AudioDoor("s16le", rate)
    lane = Lane(door, options, lambda delivery: None, wake=lambda lane: None)
    lane.open(engine)
    return lane


@pytest.fixture
def lane(engine: ScriptedEngine) -> Lane:
    return new_lane(engine)


def drive(lane: Lane, engine: ScriptedEngine) -> Delivery:
    """Be the thread until the inbox is empty."""
    told = Delivery()
    while True:
        work = lane.take()
        if work is not None:
            lane.push(engine.step([(lane.slot, work.samples)])[0])
        if (delivery := lane.collect()) is not None:
            told.events += delivery.events
            told.flushed += delivery.flushed
            told.marked += delivery.marked
            told.finished |= delivery.finished
            told.error = told.error or delivery.error
        if work is None and not lane.has_input:
            return told


def test_the_inbox_becomes_events(lane: Lane, engine: ScriptedEngine) -> None:
    audio = pcm(tone(1.0))
    lane.audio(audio)
    lane.finish()
    told = drive(lane, engine)
    assert told.finished
    assert as_sent(told.events) == expected(audio, OPTIONS)
    assert lane.waiting == 0


def test_one_turn_takes_a_bounded_piece_of_a_large_message(lane: Lane) -> None:
    lane.audio(bytes(20 * SLICE_BYTES))
    lane.take()
    assert lane.waiting >= 15 * SLICE_BYTES


def test_one_turn_takes_a_few_slices_where_nobody_speaks(engine: ScriptedEngine) -> None:
    lane = new_lane(engine, StreamOptions())
    lane.audio(bytes(20 * SLICE_BYTES))
    assert lane.take() is None
    assert lane.waiting // SLICE_BYTES == 20 - SLICES_PER_TURN


def test_many_small_messages_are_taken_as_one(lane: Lane, engine: ScriptedEngine) -> None:
    audio = pcm(tone(0.4))
    for byte in audio:
        lane.audio(bytes([byte]))
    assert lane.take() is not None
    assert lane.waiting == 0
    lane.push(engine.step([(lane.slot, tone(0.08))])[0])


def test_small_items_count_more_than_their_bytes(lane: Lane) -> None:
    for _ in range(100):
        lane.flush(None)
    lane.audio(b"x")
    lane.audio(b"")
    assert lane.waiting == 101 * ITEM_BYTES + 1


def test_lag_counts_the_inbox_and_what_is_not_decoded(lane: Lane, engine: ScriptedEngine) -> None:
    lane.audio(pcm(tone(2.0)))
    drive(lane, engine)
    assert 1500 < lane.statistics.worst_lag_ms < 2010


def test_room_is_reported_when_the_inbox_is_half_empty(lane: Lane, engine: ScriptedEngine) -> None:
    assert lane.ask_for_room(1000)
    lane.audio(pcm(silence(0.1)))
    assert lane.ask_for_room(lane.waiting)
    assert not lane.ask_for_room(1000)
    drive(lane, engine)
    assert not lane.wants_room
    assert lane.ask_for_room(1000)
    assert not lane.wants_room


def test_there_is_no_room_until_the_inbox_is_half_empty(lane: Lane, engine: ScriptedEngine) -> None:
    bound = 4 * SLICE_BYTES
    lane.audio(bytes(6 * SLICE_BYTES))
    assert not lane.ask_for_room(bound)
    while lane.wants_room:
        assert lane.waiting > bound // 2
        if (work := lane.take()) is not None:
            lane.push(engine.step([(lane.slot, work.samples)])[0])
        lane.collect()
    assert 0 < lane.waiting <= bound // 2


@pytest.mark.parametrize("control", [lambda lane: lane.flush(None), Lane.clear, Lane.finish])
def test_every_end_takes_what_the_resampler_holds_back(
    engine: ScriptedEngine, control: Callable[[Lane], None]
) -> None:
    lane = new_lane(engine, rate=48_000)
    lane.audio(bytes(2 * 24_000))
    control(lane)
    drive(lane, engine)
    assert lane.statistics.position == 8000


def test_a_flush_is_answered_before_anything_that_follows_is_told(lane: Lane) -> None:
    lane.flush("nothing was open")
    lane.audio(pcm(tone(0.5)))
    assert lane.take() is None
    assert lane.collect() == Delivery(flushed=["nothing was open"])
    assert lane.take() is not None


def test_audio_that_stops_inside_a_frame_is_told_after_its_words(
    lane: Lane, engine: ScriptedEngine
) -> None:
    lane.audio(pcm(tone(0.5)) + b"x")
    lane.finish()
    told = drive(lane, engine)
    assert told.finished
    assert as_sent(told.events) == expected(pcm(tone(0.5)), OPTIONS)
    assert isinstance(told.error, AudioFormatError)


def test_words_are_counted_that_are_not_placed(engine: ScriptedEngine) -> None:
    counts = []
    for words in (True, False):
        lane = new_lane(engine, StreamOptions(vad=False, words=words))
        lane.audio(pcm(tone(1.0)))
        lane.finish()
        drive(lane, engine)
        counts.append(lane.statistics.words)
    assert counts[0] == counts[1] > 0


def test_audio_after_the_end_is_refused(lane: Lane, engine: ScriptedEngine) -> None:
    lane.finish()
    lane.audio(pcm(tone(0.1)))
    with pytest.raises(StreamClosed):
        drive(lane, engine)


def test_a_mark_comes_back_with_its_position(lane: Lane, engine: ScriptedEngine) -> None:
    lane.audio(pcm(silence(0.1)))
    lane.mark("here")
    lane.audio(pcm(silence(0.1)))
    lane.mark("there")
    assert drive(lane, engine).marked == [("here", 1600), ("there", 3200)]


def test_what_is_cleared_is_not_told(lane: Lane, engine: ScriptedEngine) -> None:
    lane.audio(pcm(tone(0.5)))
    lane.clear()
    lane.audio(pcm(tone(0.5)))
    lane.finish()
    told = drive(lane, engine)
    assert told.finished
    assert sum(hasattr(event, "reason") for event in told.events) == 1
