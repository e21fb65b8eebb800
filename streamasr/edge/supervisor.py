"""Several worker processes behind one port: started, watched, replaced, stopped.

    code = supervise(settings, work)      # work(settings, link) is one worker's whole life

Each worker listens on the same port by itself (SO_REUSEPORT) and the kernel deals out new
connections. The supervisor holds the port, serves nobody, and tells systemd: ready once all
workers are, stopping at the first signal. A worker that ends on its own is replaced, at once
the first time and after a longer pause each time it happens soon again; the others notice
nothing. One that cannot even start ends the daemon, for its successor could not either.

At SIGHUP the settings are read again and every worker gets ready for them. When all are, all
take them for new sessions; when one cannot, none does.

A worker that is stuck, its event loop or its engine, gives no signs of life: it is killed, and
replaced like one that ended.

A worker leads a life of its own when its supervisor is gone: its link breaks, and it drains.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from streamasr.edge.admission import KEY_BYTES
from streamasr.edge.generation import pin
from streamasr.edge.link import PREPARED, READY, Link
from streamasr.edge.listening import Given, listen
from streamasr.edge.metrics import forget_process, shared_folder
from streamasr.edge.notify import notify, reloading
from streamasr.edge.settings import Settings
from streamasr.edge.tally import SPAWN, Tally, shared
from streamasr.edge.watchdog import SIGNS, USUAL_S, watchdog_s
from streamasr.errors import StreamasrError, UsageError

log = logging.getLogger(__name__)

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before a worker is replaced, by how often that happened lately."""
STEADY_S = 60.0
"""A worker that lasted so long has a clean record."""
GRACE_S = 5.0
"""Beyond limits.drain_s, until a worker that does not stop is killed."""


Work = Callable[[Settings, Link], int]
Reread = Callable[[], Settings]


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


def supervise(settings: Settings, work: Work, reread: Reread | None = None) -> int:
    """Run ``server.workers`` workers until a signal comes; the exit code.

    ``reread`` gives the settings anew for a reload. The code is 2 when a worker finds the
    settings wrong, 1 when something failed or sessions were cut.
    """
    try:
        given = Given.take(os.environ)
        used = given.settle(settings)
        with contextlib.ExitStack() as stack:
            stack.enter_context(shared_folder())
            if not given.web:
                sock = stack.enter_context(listen(used, is_shared=True, is_held=True))
                port = sock.getsockname()[1]
                used = replace(used, server=replace(used.server, port=port))
            supervisor = Supervisor(used, work, given)
            if reread is not None:
                supervisor.reread = lambda used: pin(settings, used, reread())
            return supervisor.run()
    except StreamasrError as error:
        if isinstance(error, UsageError):
            raise
        log.error("%s", error)
        return 1


class Supervisor:
    """The workers of one daemon."""

    reread: Callable[[Settings], Settings] | None = None
    """The settings of now, given those in use."""

    def __init__(self, settings: Settings, work: Work, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._beat_s = (watchdog_s() or USUAL_S) / SIGNS
        self._secret_key = secrets.token_bytes(KEY_BYTES)
        self._look_at = 0.0  # when to look next who is alive
        self._work = work
        count = settings.server.workers
        self._counts = shared(count)
        self._tally = Tally(self._counts)
        self._workers = [Worker(number) for number in range(count)]
        self._signals = 0  # how many asked us to stop
        self._hangups = 0  # how many asked for a reload that is not begun
        self._proposal: Settings | None = None  # what workers get ready for
        self._awaited: set[int] = set()  # the workers that have not said yet whether they are
        self._prepared: set[int] = set()
        self._problems: list[str] = []
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()
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
            if self._hangups and self._was_ready and self._proposal is None:
                self._hangups = 0
                self._propose()
            if self._look_at <= now:
                self._look()
                self._look_at = now + self._beat_s
            due = [worker.due_at for worker in self._workers if worker.process is None]
            self._wait(wakeup, max(0.0, min([*due, self._look_at]) - now))
            for worker in self._ended():
                code = self._bury(worker)
                self._excuse(worker)
                if not self._was_ready and not self._signals:
                    return code or 1
        return 0

    def _start(self, worker: Worker) -> None:
        ours, theirs = SPAWN.Pipe()
        tally = Tally(self._counts, worker.number)
        link = Link(
            worker.number, theirs, tally, self._given, self._beat_s, secret_key=self._secret_key
        )
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
                continue
            for worker in self._workers:
                if found is worker.pipe:
                    self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        assert worker.pipe is not None
        try:
            kind, problem = worker.pipe.recv()
            worker.is_ready |= kind == READY
            worker.silent = 0
            if kind == PREPARED:
                self._note(worker, problem)
        except (EOFError, OSError):
            worker.pipe.close()
            worker.pipe = None
        if not self._was_ready and all(each.is_ready for each in self._workers):
            self._was_ready = True
            server = self._settings.server
            log.info("ready: %d workers on port %d", len(self._workers), server.port)
            notify("READY=1")

    def _propose(self) -> None:
        """Have all workers get ready for the settings of now."""
        if self.reread is None:
            log.warning("there are no settings to read again")
            return
        reloading()
        try:
            self._proposal = self.reread(self._settings)
        except Exception as error:
            is_known = isinstance(error, StreamasrError)
            self._refuse(str(error), None if is_known else error)
            return
        self._awaited = {worker.number for worker in self._workers if worker.is_ready}
        self._prepared, self._problems = set(), []
        for number in self._awaited:
            self._say(self._workers[number], "prepare", self._proposal)
        self._decide()

    def _note(self, worker: Worker, problem: str) -> None:
        """A worker is ready for the proposal, or has a problem with it."""
        self._awaited.discard(worker.number)
        if problem:
            self._problems.append(problem)
        else:
            self._prepared.add(worker.number)
        self._decide()

    def _excuse(self, worker: Worker) -> None:
        """A worker that ended while getting ready is one that cannot."""
        self._prepared.discard(worker.number)
        if worker.number in self._awaited:
            self._note(worker, f"worker {worker.number} ended over it")

    def _decide(self) -> None:
        """Once all have said whether they are ready: all take the proposal, or none does."""
        if self._proposal is None or self._awaited:
            return
        proposal, self._proposal = self._proposal, None
        for number in self._prepared:
            self._say(self._workers[number], "discard" if self._problems else "adopt", None)
        if self._problems:
            self._refuse(self._problems[0])
            return
        self._settings = proposal
        for worker in self._workers:  # those that began with the old ones meanwhile
            if worker.process is not None and worker.number not in self._prepared:
                self._signal(worker, signal.SIGTERM)
        log.info("reloaded: %d workers", len(self._prepared))
        notify("READY=1\nSTATUS=")

    def _refuse(self, problem: str, error: Exception | None = None) -> None:
        log.error("reload refused, all stays as it was: %s", problem, exc_info=error)
        notify(f"READY=1\nSTATUS=the last reload was refused: {problem}")

    def _say(self, worker: Worker, kind: str, value: Settings | None) -> None:
        if worker.pipe is not None:
            with contextlib.suppress(OSError):  # it ends: we shall see that
                worker.pipe.send((kind, value))

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
            if number != signal.SIGHUP or (self._has_terminal and not sys.stdin.isatty()):
                self._signals += 1
            else:
                self._hangups += 1

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        before = {
            number: signal.signal(number, on_signal)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
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
    # a terminal sends these to all of its processes; we are told
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
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
