"""Signs of life: a daemon that is stuck is found out, and replaced by whoever watches it.

    await feed(lambda: worker, interval_s=5.0, tell=lambda: notify("WATCHDOG=1"))

Each sign went through the event loop and the engine thread and back. When either is stuck no
more signs come: systemd then restarts the service (``WatchdogSec=``), and a supervisor
replaces the worker.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from streamasr.edge.worker import EngineThread

SIGNS = 3
"""That fit into the time that a watcher waits for one."""
USUAL_S = 30.0
"""How long a supervisor waits where systemd does not say."""


def watchdog_s(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float:
    """How many seconds systemd waits for a sign of life; 0 when it waits for none."""
    asked = environ.get("WATCHDOG_PID", "")
    if asked and asked != str(os.getpid() if pid is None else pid):
        return 0.0
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


async def feed(
    current: Callable[[], EngineThread], *, interval_s: float, tell: Callable[[], None]
) -> None:
    """Give signs of life until cancelled; ``current`` is the engine thread in use."""
    while True:
        await current().echo()
        tell()
        await asyncio.sleep(interval_s)
