import asyncio
import os

import pytest

from streamasr.edge.watchdog import feed, watchdog_s
from streamasr.edge.worker import EngineThread
from tests.fakes import ScriptedEngine


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": ""}, 0.0),
    ],
)
def test_what_systemd_asks_for_is_understood(environ: dict[str, str], seconds: float) -> None:
    assert watchdog_s(environ) == seconds


async def test_signs_of_life_come_until_the_engine_is_gone() -> None:
    worker = EngineThread(ScriptedEngine)
    await worker.start()
    signs: asyncio.Queue[None] = asyncio.Queue()
    tell = lambda: signs.put_nowait(None)  # noqa: E731
    feeding = asyncio.create_task(feed(lambda: worker, interval_s=0.001, tell=tell))
    for _ in range(3):
        await signs.get()
    await worker.stop()
    seen = 0
    while seen != signs.qsize():  # one may have been under way
        seen = signs.qsize()
        await asyncio.sleep(0.05)
    assert not feeding.done()
    feeding.cancel()
