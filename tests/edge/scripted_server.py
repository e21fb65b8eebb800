"""The daemon as a process of its own, with a scripted engine: python -m tests.edge.scripted_server

Settings come from the environment; SCRIPTED_STEP_S slows each step down, SCRIPTED_STUCK keeps
the first step that hears a pure tone from ending, SCRIPTED_FAIL makes loading fail,
SCRIPTED_LOAD_S slow.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamasr.app.commands.serve import WEB
from streamasr.core.model import Emissions
from streamasr.core.recognizer import Engine
from streamasr.edge.pages import demo_routes
from streamasr.edge.server import run
from streamasr.edge.settings import Settings, load
from streamasr.errors import BundleError
from tests.fakes import ScriptedEngine, is_audible


def is_tone(samples: NDArray[np.float32]) -> bool:
    """Unlike the speech that the daemon measures its capacity with."""
    return 0.0 < float(np.abs(samples).max()) < 1.5 * float(np.sqrt(np.mean(samples**2)))


class SlowEngine(ScriptedEngine):
    """Takes its time over what it hears."""

    delay_s = float(os.environ.get("SCRIPTED_STEP_S", "0"))

    def step(self, batch: Sequence[tuple[int, NDArray[np.float32]]]) -> list[Emissions]:
        if any(is_audible(samples) for _, samples in batch):
            time.sleep(self.delay_s)
            if "SCRIPTED_STUCK" in os.environ and any(is_tone(samples) for _, samples in batch):
                time.sleep(1000)
        return super().step(batch)


def open_engine(settings: Settings) -> Engine:
    if "SCRIPTED_FAIL" in os.environ or settings.server.model == "fails":
        raise BundleError("no model here", remedy="put one there")
    logging.info("loading for %d", settings.limits.sessions)
    time.sleep(float(os.environ.get("SCRIPTED_LOAD_S", "0")))
    return SlowEngine(capacity=1024)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    read = partial(load, environ=os.environ)
    sys.exit(run(read(), open_engine, demo_routes(WEB), reread=read))
