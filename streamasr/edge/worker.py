"""The engine thread: all recognition of all sessions happens here, off the event loop.

    worker = EngineThread(open_engine)
    await worker.start()                       # the engine is open and warm
    lane = worker.lane(AudioDoor("s16le", 16_000), options, deliver)
    lane.audio(data); lane.flush("id"); lane.finish()
    await worker.stop()

The loop appends bytes to a lane's inbox and wakes the thread; the thread takes whatever is
ready of all lanes, steps it as one batch, and hands all results back with one call to the
loop. It never waits for a timer: batches grow by themselves when there is more to do, and
while nobody speaks the thread sleeps on its queue.

An exception in one lane ends that lane. When a batch fails, its lanes are stepped one by
one, so that only those that fail by themselves end; an engine must not have changed any
state in a step that raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

import numpy as np

from streamasr.core.model import Emissions, ModelFacts
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine
from streamasr.core.stream import Work
from streamasr.edge.lane import Deliver, Delivery, Door, Lane
from streamasr.errors import StreamasrError

log = logging.getLogger(__name__)

WARM_UP_STEPS = 3
ROUND_MEMORY_S = 1.0
"""Of the average duration of rounds,"""
LONGEST_ROUND_S = 0.2
"""and the longest that one may count, so that a single hiccup decides nothing."""


IdleWork = Callable[[Engine], Iterator[None]]
"""What to do while nobody speaks, in slices of some milliseconds; closed when somebody does,
and then begun again."""


class Observer(Protocol):
    """Is told of each batch, in the engine's thread."""

    def stepped(self, streams: int, *, step_s: float, audio_s: float, lag_s: float) -> None:
        """So many streams took a step; ``lag_s`` is what waits in the one that lags most."""
        ...


class EngineThread:
    """Owns the engine and steps all lanes; start and stop belong to the loop."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        *,
        observer: Observer | None = None,
        idle_work: IdleWork | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._open_engine = open_engine
        self._observer = observer
        self._idle_work = idle_work  # None once it is done
        self._slices: Iterator[None] | None = None  # of the idle work under way
        self._clock = clock
        self._queue: SimpleQueue[Lane | asyncio.Future[None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._active: dict[Lane, None] = {}
        self.engine_name = ""
        """What runs the model: onnx, torch."""
        self.facts: ModelFacts | None = None
        """Set once the engine is open."""
        self.capacity = 0
        self.round_s = 0.0
        """How long it took lately to go through all lanes once; 0 while there is nothing to do."""
        self.is_ready = False
        """Open, warm and alive."""
        self._has_failed = False
        self._is_stopped = False

    @property
    def is_alive(self) -> bool:
        """Not failed: waiting to start, loading, or serving."""
        return not self._has_failed

    async def start(self) -> None:
        """Open and warm up the engine in its thread; raises what that raised."""
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._thread.start()
        await self._started

    async def wait_ended(self) -> None:
        """Return when the thread ends; raises what ended it, if that was a failure."""
        assert self._ended is not None, "not started"
        await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """Cancel all lanes and end the thread."""
        self._is_stopped = True
        if self._ended is None:
            return
        self._queue.put(None)
        await asyncio.wait([self._ended])
        self._ended.exception()  # seen: whoever cares has waited for it
        self._thread.join()

    async def echo(self) -> None:
        """Return once the thread has come to the end of a round; never, if it is stuck."""
        assert self._loop is not None, "not started"
        heard = self._loop.create_future()
        self._queue.put(heard)
        await heard

    def lane(self, door: Door, options: StreamOptions, deliver: Deliver) -> Lane:
        """Make a lane; ``deliver`` is called on the loop. The slot is claimed on first use.

        Raises StreamasrError where the thread has been stopped.
        """
        if self._is_stopped:
            raise StreamasrError("the engine was replaced", remedy="connect again")
        return Lane(door, options, deliver, wake=self.wake)

    def wake(self, lane: Lane) -> None:
        """Have the thread look at a lane; cheap when it is going to anyway."""
        if not lane.is_queued:
            lane.is_queued = True
            self._queue.put(lane)

    # In the thread

    def _run(self) -> None:
        assert self._started is not None
        assert self._ended is not None
        try:
            engine = self._open_engine()
            _warm_up(engine)
        except BaseException as error:  # whatever it is, start() raises it
            self._has_failed = True
            self._tell(self._started, error)
            self._tell(self._ended, None)
            return
        self.facts, self.capacity = engine.facts, engine.capacity
        self.engine_name = type(engine).__name__.removesuffix("Engine").lower()
        self.is_ready = True
        self._tell(self._started, None)
        failure: BaseException | None = None
        try:
            self._serve(engine)
        except BaseException as error:
            log.exception("the engine thread failed")
            failure = error
            self._has_failed = True
        self.is_ready = False
        self._tell(self._ended, failure)

    def _serve(self, engine: Engine) -> None:
        while self._take_arrivals():
            if not self._active:
                self.round_s = 0.0
                self._work_idly(engine)
                continue
            self._stop_idle_work()
            began = self._clock()
            out: list[tuple[Lane, Delivery]] = []
            batch = self._gather(engine, out)
            if batch:
                self._step(engine, batch, out)
            self._settle(engine, {lane for lane, _ in batch}, out)
            if out:
                self._post(out)
            took = min(self._clock() - began, LONGEST_ROUND_S)
            self.round_s += took / ROUND_MEMORY_S * (took - self.round_s)
        self._stop_idle_work()

    def _work_idly(self, engine: Engine) -> None:
        """Do a slice of the idle work, beginning it if need be."""
        if self._idle_work is None:
            return
        try:
            if self._slices is None:
                self._slices = self._idle_work(engine)
            next(self._slices)
        except StopIteration:
            self._slices = self._idle_work = None
        except Exception:
            log.exception("idle work failed")
            self._slices = self._idle_work = None

    def _stop_idle_work(self) -> None:
        """Give back what unfinished idle work holds; it begins again later."""
        if self._slices is not None:
            self._slices.close()  # type: ignore[attr-defined]  # it is a generator
            self._slices = None

    def _take_arrivals(self) -> bool:
        """Bring in the lanes that were woken; sleep when there is nothing else to do."""
        try:
            found = self._queue.get(block=not self._active and self._idle_work is None)
            while found is not None:
                if isinstance(found, Lane):
                    found.is_queued = False
                    if not found.is_over:
                        self._active[found] = None
                else:
                    self._tell(found, None)
                found = self._queue.get(block=False)
        except Empty:
            return True
        return False

    def _gather(self, engine: Engine, out: list[tuple[Lane, Delivery]]) -> list[tuple[Lane, Work]]:
        """Let every active lane take in audio; return the steps that are ready."""
        batch: list[tuple[Lane, Work]] = []
        began = self._clock()
        for lane in list(self._active):
            if lane.is_cancelled:
                self._close(engine, lane)
                continue
            try:
                if lane.slot < 0:
                    lane.open(engine)
                work = lane.take()
                if work is not None and work.fresh:
                    engine.reset(lane.slot)
            except Exception as error:
                self._fail(engine, lane, error, out)
                continue
            if work is not None:
                batch.append((lane, work))
            now = self._clock()
            lane.charge(now - began)
            began = now
        return batch

    def _step(
        self, engine: Engine, batch: list[tuple[Lane, Work]], out: list[tuple[Lane, Delivery]]
    ) -> None:
        """Step all as one batch and give each lane its answer."""
        began = self._clock()
        answers: Sequence[Emissions | Exception]
        try:
            answers = engine.step([(lane.slot, work.samples) for lane, work in batch])
        except Exception:
            answers = [_step_alone(engine, lane, work) for lane, work in batch]
        took = self._clock() - began
        share = took / len(batch)
        if self._observer is not None:
            facts = engine.facts
            self._observer.stepped(
                len(batch),
                step_s=took,
                audio_s=len(batch) * facts.step_samples / facts.sample_rate,
                lag_s=max(lane.lag_ms for lane, _ in batch) / 1000,
            )
        for (lane, _), answer in zip(batch, answers, strict=True):
            lane.charge(share)
            try:
                if isinstance(answer, Exception):
                    raise answer
                lane.push(answer)
            except Exception as error:
                self._fail(engine, lane, error, out)

    def _settle(self, engine: Engine, stepped: set[Lane], out: list[tuple[Lane, Delivery]]) -> None:
        """Collect what the lanes have to tell; let those rest that have nothing to do."""
        for lane in list(self._active):
            delivery = lane.collect()
            if delivery is not None:
                out.append((lane, delivery))
            if delivery is not None and delivery.finished:
                self._close(engine, lane)
            elif lane not in stepped and not lane.has_input:
                del self._active[lane]

    def _fail(
        self, engine: Engine, lane: Lane, error: Exception, out: list[tuple[Lane, Delivery]]
    ) -> None:
        """End one lane; what it had to tell before goes first."""
        delivery = (lane.collect() if lane.is_open else None) or Delivery()
        delivery.error = error
        out.append((lane, delivery))
        self._close(engine, lane)

    def _close(self, engine: Engine, lane: Lane) -> None:
        del self._active[lane]
        lane.is_over = True
        if lane.slot >= 0:
            engine.close(lane.slot)
            lane.slot = -1

    # Back to the loop

    def _post(self, out: list[tuple[Lane, Delivery]]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_deliver, out)

    def _tell(self, future: asyncio.Future[None], error: BaseException | None) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(_resolve, future, error)


def _step_alone(engine: Engine, lane: Lane, work: Work) -> Emissions | Exception:
    try:
        return engine.step([(lane.slot, work.samples)])[0]
    except Exception as error:
        return error


def _warm_up(engine: Engine) -> None:
    """Step once through everything that is slow the first time."""
    slot = engine.open()
    silence = np.zeros(engine.facts.step_samples, np.float32)
    for _ in range(WARM_UP_STEPS):
        engine.step([(slot, silence)])
    engine.close(slot)


def _deliver(out: list[tuple[Lane, Delivery]]) -> None:
    for lane, delivery in out:
        if lane.is_cancelled:
            continue
        try:
            lane.deliver(delivery)
        except Exception:
            log.exception("a session failed to take its events")


def _resolve(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
