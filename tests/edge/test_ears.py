from __future__ import annotations

import asyncio

import numpy as np

from streamasr.core.dialects import Listen
from streamasr.core.events import Final
from streamasr.core.messages import Start
from streamasr.edge.ears import Ears
from streamasr.edge.lane import Delivery, Statistics
from streamasr.edge.worker import EngineThread
from tests.edge.daemon import as_sent, expected, pcm, settings_of
from tests.fakes import ScriptedEngine, silence, voice


async def test_channels_apart_are_heard_as_if_each_were_alone() -> None:
    left = np.concatenate([silence(0.3), voice(1.0, 1), silence(0.8)])
    right = np.concatenate([silence(0.3), voice(1.0, 2), silence(0.8)])
    both = np.stack([left, right], axis=1)
    heard: list[list[Final]] = [[], []]
    finished = asyncio.Event()

    def take(delivery: Delivery, channel: int) -> None:
        heard[channel] += [event for event in delivery.events if isinstance(event, Final)]
        if ears.is_finished:
            finished.set()

    worker = EngineThread(ScriptedEngine)
    await worker.start()
    start = Start(channels=2)
    ears = Ears(worker, Listen(start, apart=True), settings_of(), take)
    audio = pcm(both)
    for cut in range(0, len(audio), 999):
        ears.hear(audio[cut : cut + 999])
    ears.finish()
    async with asyncio.timeout(10):
        await finished.wait()
    await worker.stop()
    for side, finals in zip((left, right), heard, strict=True):
        wanted = [event for event in expected(pcm(side)) if isinstance(event, Final)]
        assert as_sent(list(finals)) == wanted
    total = Statistics()
    ears.add_to(total)
    assert total.position == 2 * len(left)
    assert total.utterances == 2
