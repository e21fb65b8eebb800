"""What Prometheus may ask for: gauges, counters and histograms of one daemon at /metrics.

    meters = Meters()                        # one a process
    meter = meters.session("deepgram")       # one a session
    body, content_type = meters.page()

Several workers share a folder (`shared_folder`), where each keeps its numbers in files that
any of them can add up: whichever worker is asked answers for all. No label holds anything
that a client chose, so their number is bounded.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from streamasr.core.events import Event, Final, Partial, SpeechStarted

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus-client looks for the folder, when it is imported."""
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Seconds, of steps; a step holds 0.08 s of audio."""
LONG = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0)
"""Seconds, of what a person waits for."""
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
FACTORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@contextlib.contextmanager
def shared_folder() -> Iterator[None]:
    """Have the processes that are started meanwhile add up their numbers."""
    with tempfile.TemporaryDirectory(prefix="streamasr-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def forget_process(pid: int) -> None:
    """Drop the gauges of a worker that is no more; what it counted stays counted."""
    from prometheus_client.multiprocess import mark_process_dead

    if FOLDER_VARIABLE in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Meters:
    """All numbers of one process."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = registry = CollectorRegistry()

        def gauge(name: str, help: str, *labels: str) -> Gauge:
            return Gauge(
                f"streamasr_{name}", help, labels, registry=registry, multiprocess_mode="livesum"
            )

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"streamasr_{name}", help, labels, registry=registry)

        def histogram(name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"streamasr_{name}", help, buckets=buckets, registry=registry)

        self.sessions = gauge("sessions", "Open sessions", "dialect")
        self.streams = gauge("streams", "Streams that are open, or kept for open sessions")
        self.capacity = gauge(
            "capacity_streams", "Streams that this machine is estimated to carry in real time"
        )
        self.audio = counter("audio_seconds", "Audio that went through the model")
        self.step = histogram("step_seconds", "One step of a batch through the model", SHORT)
        self.batch = histogram("batch_streams", "Streams in a batch", BATCHES)
        self.lag = histogram(
            "queue_lag_seconds", "Audio waiting in the stream of a batch that lags most", LONG
        )
        self.factor = histogram(
            "session_real_time_factor", "Computing time over audio, of sessions", FACTORS
        )
        self.first_partial = histogram(
            "first_partial_seconds", "From knowing that somebody speaks to the first text", LONG
        )
        self.stop_to_final = histogram(
            "stop_to_final_seconds", "From a stop to the last event of its session", LONG
        )
        self.ended = counter("sessions_ended", "Sessions that are over", "dialect", "reason")
        self.errors = counter("errors", "Sessions that ended with an error", "dialect", "code")
        self.refusals = counter("refusals", "Requests refused at the door", "path", "code")

    def stepped(self, streams: int, *, step_s: float, audio_s: float, lag_s: float) -> None:
        """A batch went through the model."""
        self.step.observe(step_s)
        self.batch.observe(streams)
        self.lag.observe(lag_s)
        self.audio.inc(audio_s)

    def session(self, dialect: str) -> SessionMeter:
        """The meter of a session that opens now."""
        return SessionMeter(self, dialect)

    def page(self) -> tuple[bytes, str]:
        """The text of /metrics and its content type, for all workers."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._everybody()), CONTENT_TYPE_LATEST

    def _everybody(self) -> CollectorRegistry:
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        if FOLDER_VARIABLE not in os.environ:
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class SessionMeter:
    """Times one session."""

    def __init__(self, meters: Meters, dialect: str) -> None:
        self._meters = meters
        self._dialect = dialect
        self._speech_at: float | None = None  # set while an utterance has shown nothing
        self._stopped_at: float | None = None
        meters.sessions.labels(dialect).inc()

    def tell(self, event: Event) -> None:
        """An event is on its way to the client."""
        if isinstance(event, SpeechStarted):
            self._speech_at = time.monotonic()
        elif isinstance(event, Partial | Final) and self._speech_at is not None:
            self._meters.first_partial.observe(time.monotonic() - self._speech_at)
            self._speech_at = None

    def stop(self) -> None:
        """No more audio comes."""
        self._stopped_at = time.monotonic()

    def finish(self) -> None:
        """Everything is decoded and told."""
        if self._stopped_at is not None:
            self._meters.stop_to_final.observe(time.monotonic() - self._stopped_at)

    def close(self, reason: str, factor: float) -> None:
        """The session is over; ``factor`` is 0 where it heard nothing."""
        meters = self._meters
        meters.sessions.labels(self._dialect).dec()
        kind, _, code = reason.partition(" ")
        meters.ended.labels(self._dialect, kind).inc()
        if kind == "error":
            meters.errors.labels(self._dialect, code).inc()
        if factor:
            meters.factor.observe(factor)
