import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from streamasr.core.audio import AudioDoor
from streamasr.core.events import Event, Final
from streamasr.core.model import Emissions
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge.lane import Delivery, Lane, Samples
from streamasr.edge.worker import EngineThread
from streamasr.errors import AudioFormatError, CapacityError
from tests.fakes import ScriptedEngine, is_audible, silence, tone

OPTIONS = StreamOptions(vad=False)


def pcm(samples: Samples) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def expected(audio: bytes) -> list[Event]:
    with Recognizer(ScriptedEngine()).stream(OPTIONS) as stream:
        return stream.accept(AudioDoor("s16le", 16_000).accept(audio)) + stream.finish()


class Ear:
    """A session's end of a lane."""

    def __init__(self, worker: EngineThread, options: StreamOptions = OPTIONS) -> None:
        self.events: list[Event] = []
        self.flushed: list[object] = []
        self.over: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self.heard = asyncio.Event()
        self.lane: Lane = worker.lane(AudioDoor("s16le", 16_000), options, self.take)

    def take(self, delivery: Delivery) -> None:
        self.events += delivery.events
        self.flushed += delivery.flushed
        self.heard.set()
        if delivery.finished or delivery.error:
            self.over.set_result(delivery)

    async def until(self, is_done: object) -> None:
        assert callable(is_done)
        while not is_done():
            self.heard.clear()
            await self.heard.wait()


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(capacity=16)


@pytest.fixture
async def worker(engine: ScriptedEngine) -> AsyncIterator[EngineThread]:
    worker = EngineThread(lambda: engine)
    await worker.start()
    yield worker
    await worker.stop()
    assert "engine" not in {thread.name for thread in threading.enumerate()}


async def test_the_engine_is_warm_before_it_is_ready(engine: ScriptedEngine) -> None:
    worker = EngineThread(lambda: engine)
    assert not worker.is_ready
    await worker.start()
    assert worker.is_ready
    assert worker.facts is engine.facts
    assert worker.capacity == engine.capacity
    assert engine.batches
    assert engine.open_slots == 0
    await worker.stop()
    assert not worker.is_ready
    assert worker.is_alive


async def test_the_engine_is_opened_and_stepped_in_one_thread_off_the_loop() -> None:
    threads = set()

    class Watched(ScriptedEngine):
        def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
            threads.add(threading.get_ident())
            return super().step(batch)

    def open_engine() -> Engine:
        threads.add(threading.get_ident())
        return Watched()

    worker = EngineThread(open_engine)
    await worker.start()
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(1)))
    ear.lane.finish()
    await ear.over
    await worker.stop()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_an_engine_that_cannot_be_opened_fails_the_start() -> None:
    def open_engine() -> Engine:
        raise AudioFormatError("no such model")

    worker = EngineThread(open_engine)
    with pytest.raises(AudioFormatError, match="no such model"):
        await worker.start()
    assert not worker.is_ready
    assert not worker.is_alive
    await worker.stop()


async def test_stopping_before_starting_is_harmless(engine: ScriptedEngine) -> None:
    worker = EngineThread(lambda: engine)
    await worker.stop()
    assert not worker.is_ready


async def test_an_echo_comes_back_from_an_idle_engine_and_from_a_busy_one(
    worker: EngineThread,
) -> None:
    await worker.echo()
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(3)))
    await worker.echo()
    ear.lane.finish()
    await ear.over


async def test_no_echo_comes_from_an_engine_that_is_stuck() -> None:
    stuck, go_on = threading.Event(), threading.Event()

    class Stuck(ScriptedEngine):
        def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
            if any(is_audible(samples) for _, samples in batch):
                stuck.set()
                go_on.wait()
            return super().step(batch)

    worker = EngineThread(Stuck)
    await worker.start()
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(1)))
    ear.lane.finish()
    await asyncio.to_thread(stuck.wait)
    echo = asyncio.create_task(worker.echo())
    await asyncio.sleep(0)  # it is asked
    assert not (await asyncio.wait([echo], timeout=0.1))[0]
    go_on.set()
    await echo
    await ear.over
    await worker.stop()


@pytest.mark.parametrize("size", [1, 333, 3200, 1 << 20])
async def test_a_lane_hears_what_the_core_hears(worker: EngineThread, size: int) -> None:
    audio = pcm(np.concatenate([tone(0.6, 300), silence(0.2), tone(0.4, 700)]))
    ear = Ear(worker)
    for start in range(0, len(audio), size):
        ear.lane.audio(audio[start : start + size])
    ear.lane.finish()
    assert (await ear.over).error is None
    assert ear.events == expected(audio)
    statistics = ear.lane.statistics
    assert statistics.position == len(audio) // 2
    assert statistics.utterances == 1
    assert statistics.words == len(ear.events[-2].words) > 0  # type: ignore[union-attr]
    assert statistics.compute_s > 0
    assert statistics.worst_lag_ms > 0


async def test_ten_lanes_at_once_do_not_mix(worker: EngineThread, engine: ScriptedEngine) -> None:
    audios = [pcm(tone(1 + index / 10, 200 + 90 * index)) for index in range(10)]
    ears = [Ear(worker) for _ in audios]
    for start in range(0, 70_000, 3200):
        for ear, audio in zip(ears, audios, strict=True):
            ear.lane.audio(audio[start : start + 3200])
    for ear in ears:
        ear.lane.finish()
    await asyncio.gather(*(ear.over for ear in ears))
    for ear, audio in zip(ears, audios, strict=True):
        assert ear.events == expected(audio)
    assert max(engine.batches) > 1
    assert engine.open_slots == 0


async def test_a_flush_is_answered_after_its_final(worker: EngineThread) -> None:
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(0.5)))
    ear.lane.flush("first")
    ear.lane.flush(2)
    await ear.until(lambda: len(ear.flushed) == 2)
    assert ear.flushed == ["first", 2]
    assert isinstance(ear.events[-2], Final)
    before = len(ear.events)
    ear.lane.audio(pcm(tone(0.5, 900)))
    ear.lane.finish()
    await ear.over
    assert any(isinstance(event, Final) for event in ear.events[before:])


async def test_no_audio_at_all_is_legal(worker: EngineThread) -> None:
    ear = Ear(worker)
    ear.lane.audio(b"")
    ear.lane.finish()
    assert (await ear.over).error is None
    assert ear.events == []


async def test_half_a_sample_at_the_end_loses_no_word(worker: EngineThread) -> None:
    audio = pcm(tone(0.5))
    ear = Ear(worker)
    ear.lane.audio(audio + b"x")
    ear.lane.finish()
    delivery = await ear.over
    assert isinstance(delivery.error, AudioFormatError)
    assert "1 leftover byte" in str(delivery.error)
    assert ear.events == expected(audio)


async def test_a_lane_that_fails_ends_alone(worker: EngineThread, engine: ScriptedEngine) -> None:
    class Broken(AudioDoor):
        def accept(self, data: bytes) -> Samples:
            raise RuntimeError("a bug")

    good, bad = Ear(worker), Ear(worker)
    bad.lane = worker.lane(Broken("s16le", 16_000), OPTIONS, bad.take)
    audio = pcm(tone(0.5))
    for ear in (good, bad):
        ear.lane.audio(audio)
        ear.lane.finish()
    assert str((await bad.over).error) == "a bug"
    assert (await good.over).error is None
    assert good.events == expected(audio)
    assert engine.open_slots == 0


async def test_a_step_that_fails_ends_only_the_stream_that_caused_it() -> None:
    class Picky(ScriptedEngine):
        def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
            if any(float(np.abs(samples).max()) > 0.9 for _, samples in batch):
                raise ValueError("too loud for me")
            return super().step(batch)

    engine = Picky(capacity=16)
    worker = EngineThread(lambda: engine)
    await worker.start()
    quiet = [Ear(worker) for _ in range(3)]
    loud = Ear(worker)
    audio = pcm(tone(0.8))
    for ear in (*quiet, loud):
        ear.lane.audio(audio)
    loud.lane.audio(pcm(tone(0.5, level=1.0)))
    for ear in (*quiet, loud):
        ear.lane.finish()
    assert str((await loud.over).error) == "too loud for me"
    assert any(event for event in loud.events), "what was heard before is told"
    for ear in quiet:
        assert (await ear.over).error is None
        assert ear.events == expected(audio)
    assert worker.is_ready
    await worker.stop()
    assert engine.open_slots == 0


async def test_an_engine_without_room_says_busy(worker: EngineThread) -> None:
    ears = [Ear(worker) for _ in range(17)]
    for ear in ears:
        ear.lane.audio(pcm(tone(0.1)))
        ear.lane.flush(None)
    delivery = await ears[-1].over
    assert isinstance(delivery.error, CapacityError)
    for ear in ears[:-1]:
        await ear.until(lambda ear=ear: ear.flushed)


async def test_a_cancelled_lane_frees_its_slot_and_says_nothing(
    worker: EngineThread, engine: ScriptedEngine
) -> None:
    gone, other = Ear(worker), Ear(worker)
    gone.lane.audio(pcm(tone(0.1)))
    gone.lane.flush(1)
    await gone.until(lambda: gone.flushed)
    count = len(gone.events)
    gone.lane.audio(pcm(tone(2)))
    gone.lane.cancel()
    other.lane.finish()
    await other.over
    assert engine.open_slots == 0
    assert len(gone.events) == count
    gone.lane.audio(b"late")
    gone.lane.cancel()


async def test_the_inbox_asks_for_no_more_than_its_bound(worker: EngineThread) -> None:
    ear = Ear(worker)
    audio = pcm(silence(60))
    most = sent = 0
    while sent < len(audio):
        ear.lane.audio(audio[sent : sent + 3200])
        sent += 3200
        most = max(most, ear.lane.waiting)
        await ear.until(lambda: ear.lane.ask_for_room(16_000))
    assert most <= 16_000 + 3200 + 2 * 64
    ear.lane.finish()
    await ear.over
    assert ear.lane.statistics.position == 60 * 16_000


async def test_a_thread_with_nothing_to_do_sleeps(worker: EngineThread) -> None:
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(0.1)))
    ear.lane.flush(1)
    await ear.until(lambda: ear.flushed)
    turns = 0
    gather = worker._gather

    def counted(*arguments: object) -> object:
        nonlocal turns
        turns += 1
        return gather(*arguments)  # type: ignore[arg-type]

    worker._gather = counted  # type: ignore[method-assign, assignment]
    ear.lane.audio(pcm(tone(0.02)))  # less than a step: it has to wait for more
    other = Ear(worker)
    other.lane.finish()
    await other.over
    assert turns <= 3


async def test_a_bug_in_the_thread_is_told_and_ends_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Dying(ScriptedEngine):
        def close(self, slot: int) -> None:
            if self.batches and len(self.batches) > 3:
                raise RuntimeError("slot table damaged")
            super().close(slot)

    worker = EngineThread(Dying)
    await worker.start()
    ear = Ear(worker)
    ear.lane.audio(pcm(tone(0.5)))
    ear.lane.finish()
    with pytest.raises(RuntimeError, match="slot table damaged"):
        await worker.wait_ended()
    assert not worker.is_ready
    assert not worker.is_alive
    assert "the engine thread failed" in caplog.text
    await worker.stop()


async def test_a_session_that_cannot_take_its_events_hurts_no_other(
    worker: EngineThread, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(delivery: Delivery) -> None:
        raise RuntimeError("a bug in a session")

    bad = worker.lane(AudioDoor("s16le", 16_000), OPTIONS, refuse)
    good = Ear(worker)
    bad.finish()
    good.lane.finish()
    await good.over
    assert "failed to take its events" in caplog.text
