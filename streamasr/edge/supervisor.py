"""Several worker processes behind one port: started, watched, replaced, stopped.

    code = supervise(settings, work)      # work(settings, link) is one worker's whole life

Each worker listens on the same port by itself (SO_REUSEPORT) and the kernel deals out new
connections. The supervisor holds the port, serves nobody, and tells systemd: ready once all
workers are, stopping at the first signal. A worker that ends on its own is replaced, at once
the first time and after a longer pause each time it happens soon again; the others notice
nothing. One that cannot even start ends the daemon, for its successor could not either.

A worker that is stuck, its event loop or its engine, gives no signs of life: it is killed, and
replaced like one that ended.

A worker leads a life of its own when its supervisor is gone: its link breaks, and it drains.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from streamasr.edge.listening import Given, listen
from streamasr.edge.metrics import forget_process, shared_folder
from streamasr.edge.notify import notify
from streamasr.edge.settings import Settings
from streamasr.edge.tally import SPAWN, Tally, shared
from streamasr.edge.watchdog import SIGNS, USUAL_S, watchdog_s
from streamasr.errors import StreamasrError, UsageError

log = logging.getLogger(__name__)

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before a worker is replaced, by how often that happened lately."""
STEADY_S = 60.0
"""A worker that lasted so long has a clean record."""
READY, ALIVE = "ready", "alive"
"""What a worker says."""
GRACE_S = 5.0
"""Beyond limits.drain_s, until a worker that does not stop is killed."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a worker holds of its supervisor; it travels to the new process."""

    number: int
    """Counts from 0."""
    pipe: Connection
    """Says ready to the supervisor; at its end when the supervisor is gone."""
    tally: Tally
    given: Given = field(default_factory=Given)
    """Sockets to serve on in place of its own; all workers accept from the same."""
    beat_s: float = USUAL_S / SIGNS
    """Between signs of life."""

    def ready(self) -> None:
        """This worker takes sessions."""
        with contextlib.suppress(OSError):
            self.pipe.send(READY)

    def beat(self) -> None:
        """This worker is not stuck."""
        with contextlib.suppress(OSError):
            self.pipe.send(ALIVE)


Work = Callable[[Settings, Link], int]


@dataclass(slots=True)
class Worker:
    """One place among the workers, and the process that fills it."""

    number: int
    process: SpawnProcess | None = None
    pipe: Connection | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    """When to start a process here, while there is none."""
    failures: int = 0
    is_ready: bool = False
    silent: int = 0
    """Looks since its last sign of life."""


def supervise(settings: Settings, work: Work) -> int:
    """Run ``server.workers`` workers until a signal comes; the exit code.

    2 when a worker finds the settings wrong, 1 when something failed or sessions were cut.
    """
    try:
        given = Given.take(os.environ)
        settings = given.settle(settings)
        with contextlib.ExitStack() as stack:
            stack.enter_context(shared_folder())
            if not given.web:
                sock = stack.enter_context(listen(settings, is_shared=True, is_held=True))
                port = sock.getsockname()[1]
                settings = replace(settings, server=replace(settings.server, port=port))
            return Supervisor(settings, work, given).run()
    except StreamasrError as error:
        if isinstance(error, UsageError):
            raise
        log.error("%s", error)
        return 1


class Supervisor:
    """The workers of one daemon."""

    def __init__(self, settings: Settings, work: Work, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._beat_s = (watchdog_s() or USUAL_S) / SIGNS
        self._look_at = 0.0  # when to look next who is alive
        self._work = work
        count = settings.server.workers
        self._counts = shared(count)
        self._tally = Tally(self._counts)
        self._workers = [Worker(number) for number in range(count)]
        self._signals = 0  # how many asked us to stop
        self._told = 0  # how many of them the workers know of
        self._was_ready = False

    def run(self) -> int:
        with self._catching_signals() as wakeup:
            code = self._keep_alive(wakeup)
            notify("STOPPING=1")
            return max(code, self._stop(wakeup))

    def _keep_alive(self, wakeup: socket.socket) -> int:
        """Start workers and replace them until a signal comes, or one cannot start."""
        while not self._signals:
            now = time.monotonic()
            for worker in self._workers:
                if worker.process is None and worker.due_at <= now:
                    self._start(worker)
            if self._look_at <= now:
                self._look()
                self._look_at = now + self._beat_s
            due = [worker.due_at for worker in self._workers if worker.process is None]
            self._wait(wakeup, max(0.0, min([*due, self._look_at]) - now))
            for worker in self._ended():
                code = self._bury(worker)
                if not self._was_ready and not self._signals:
                    return code or 1
        return 0

    def _start(self, worker: Worker) -> None:
        ours, theirs = SPAWN.Pipe()
        tally = Tally(self._counts, worker.number)
        link = Link(worker.number, theirs, tally, self._given, self._beat_s)
        worker.process = SPAWN.Process(
            target=_live, args=(self._work, self._settings, link), name=f"worker {worker.number}"
        )
        with _without_notify():
            worker.process.start()
        theirs.close()
        worker.pipe = ours
        worker.started_at = time.monotonic()
        worker.is_ready = False
        worker.silent = 0

    def _look(self) -> None:
        """Kill who is stuck, and tell systemd that we are not.

        Looks are counted, not seconds: whoever stops and wakes us all wakes the workers too.
        """
        for worker in self._workers:
            if not worker.is_ready or worker.process is None:
                continue  # loading may take as long as it takes
            worker.silent += 1
            if worker.silent > SIGNS + 1:
                log.error("worker %d is stuck, killed", worker.number)
                self._signal(worker, signal.SIGKILL)
        if watchdog_s():
            notify("WATCHDOG=1")

    def _wait(self, wakeup: socket.socket, timeout_s: float) -> None:
        """Sleep until a signal, a word or the end of a worker, or the timeout."""
        watched: list[Any] = [wakeup]
        watched += [worker.process.sentinel for worker in self._workers if worker.process]
        watched += [worker.pipe for worker in self._workers if worker.pipe]
        for found in wait(watched, timeout_s):
            if found is wakeup:
                wakeup.recv(64)
            for worker in self._workers:
                if found is worker.pipe:
                    self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        assert worker.pipe is not None
        try:
            worker.is_ready |= worker.pipe.recv() == READY
            worker.silent = 0
        except (EOFError, OSError):
            worker.pipe.close()
            worker.pipe = None
        if not self._was_ready and all(each.is_ready for each in self._workers):
            self._was_ready = True
            server = self._settings.server
            log.info("ready: %d workers on port %d", len(self._workers), server.port)
            notify("READY=1")

    def _ended(self) -> list[Worker]:
        return [w for w in self._workers if w.process is not None and not w.process.is_alive()]

    def _bury(self, worker: Worker) -> int:
        """Note a worker's end and when its successor is due; its exit code, 1 for a signal."""
        process = worker.process
        assert process is not None
        process.join()
        code, now = process.exitcode or 0, time.monotonic()
        lasted = now - worker.started_at
        worker.failures = 0 if lasted > STEADY_S else worker.failures
        pause = PAUSES_S[min(worker.failures, len(PAUSES_S) - 1)]
        worker.failures += 1
        worker.due_at = now + pause
        if worker.pipe is not None:
            worker.pipe.close()
        worker.process = worker.pipe = None
        self._tally.clear(worker.number)
        forget_process(process.pid or 0)
        if not self._signals:
            how = f"signal {-code}" if code < 0 else f"code {code}"
            then = f"another in {pause:g} s" if self._was_ready else "so would another: stopping"
            log.error("worker %d ended with %s; %s", worker.number, how, then)
        return code if code >= 0 else 1

    def _stop(self, wakeup: socket.socket) -> int:
        """Let all workers drain, kill those that do not end; the worst of their codes."""
        deadline = time.monotonic() + self._settings.limits.drain_s + GRACE_S
        codes = [0]
        self._signals = max(1, self._signals)
        while alive := [worker for worker in self._workers if worker.process is not None]:
            for worker in alive if self._told < self._signals else ():
                self._signal(worker, signal.SIGTERM)
            self._told = self._signals
            left = deadline - time.monotonic()
            if left <= 0:
                for worker in alive:
                    log.error("worker %d does not stop, killed", worker.number)
                    self._signal(worker, signal.SIGKILL)
            self._wait(wakeup, max(0.1, left))
            codes += [self._bury(worker) for worker in self._ended()]
        return max(codes)

    def _signal(self, worker: Worker, number: int) -> None:
        assert worker.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.process.pid or 0, number)

    @contextlib.contextmanager
    def _catching_signals(self) -> Iterator[socket.socket]:
        """Count signals to stop; each makes the socket readable."""

        def on_signal(number: int, frame: object) -> None:
            self._signals += 1

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        before = {
            number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
        }
        fd = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            theirs.close()


def _live(work: Work, settings: Settings, link: Link) -> None:
    """The main function of a worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; we are told
    try:
        code = work(settings, link)
    except StreamasrError as error:
        log.error("%s", error)
        code = 2 if isinstance(error, UsageError) else 1
    sys.exit(code)


@contextlib.contextmanager
def _without_notify() -> Iterator[None]:
    """systemd hears of the supervisor alone."""
    address = os.environ.pop("NOTIFY_SOCKET", None)
    try:
        yield
    finally:
        if address is not None:
            os.environ["NOTIFY_SOCKET"] = address
