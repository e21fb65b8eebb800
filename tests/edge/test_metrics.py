from __future__ import annotations

import os
import urllib.request
from asyncio import to_thread
from pathlib import Path

import pytest

from streamasr.core.events import Partial, SpeechStarted
from streamasr.edge.client import connect
from streamasr.edge.metrics import FOLDER_VARIABLE, Meters, forget_process, shared_folder
from streamasr.edge.tally import SPAWN
from streamasr.errors import OverloadError
from tests.edge.daemon import daemon, pcm, pieces
from tests.fakes import tone


def lines(body: bytes) -> dict[str, float]:
    rows = [row for row in body.decode().splitlines() if not row.startswith("#")]
    return {name: float(value) for name, _, value in (row.rpartition(" ") for row in rows)}


def test_a_session_from_opening_to_end() -> None:
    meters = Meters()
    meter = meters.session("vosk")
    assert lines(meters.page()[0])['streamasr_sessions{dialect="vosk"}'] == 1
    meter.tell(SpeechStarted(0, 0))
    meter.tell(Partial(0, "a", 0, 1))
    meter.tell(Partial(0, "a b", 0, 1))
    meter.stop()
    meter.finish()
    meter.close("error too_big", 0.01)
    found = lines(meters.page()[0])
    assert found['streamasr_sessions{dialect="vosk"}'] == 0
    assert found["streamasr_first_partial_seconds_count"] == 1
    assert found["streamasr_stop_to_final_seconds_count"] == 1
    assert found["streamasr_session_real_time_factor_count"] == 1
    assert found['streamasr_errors_total{code="too_big",dialect="vosk"}'] == 1
    assert found['streamasr_sessions_ended_total{dialect="vosk",reason="error"}'] == 1


def test_batches_are_counted() -> None:
    meters = Meters()
    meters.stepped(3, step_s=0.01, audio_s=0.24, lag_s=0.1)
    found = lines(meters.page()[0])
    assert found["streamasr_batch_streams_sum"] == 3
    assert found["streamasr_audio_seconds_total"] == pytest.approx(0.24)
    assert found['streamasr_queue_lag_seconds_bucket{le="0.1"}'] == 1


def _work() -> None:
    meters = Meters()
    meters.session("native")
    meters.stepped(2, step_s=0.01, audio_s=0.16, lag_s=0.0)


def test_workers_add_up_and_the_dead_hold_no_sessions() -> None:
    with shared_folder():
        folder = Path(os.environ[FOLDER_VARIABLE])
        workers = [SPAWN.Process(target=_work) for _ in range(2)]
        for worker in workers:
            worker.start()
            worker.join()
            assert worker.exitcode == 0
        found = lines(Meters().page()[0])
        assert found["streamasr_audio_seconds_total"] == pytest.approx(0.32)
        assert found['streamasr_sessions{dialect="native"}'] == 2
        forget_process(workers[0].pid or 0)
        found = lines(Meters().page()[0])
        assert found["streamasr_audio_seconds_total"] == pytest.approx(0.32)
        assert found['streamasr_sessions{dialect="native"}'] == 1
    assert not folder.exists()
    assert FOLDER_VARIABLE not in os.environ


async def test_the_page_of_a_daemon_tells_of_sessions_and_refusals() -> None:
    async with daemon(limits__sessions=1) as running:
        async with connect(running.url, vad=False) as client:
            for piece in pieces(pcm(tone(1.0))):
                await client.send(piece)
            with pytest.raises(OverloadError):
                async with connect(running.url):
                    pass
            await client.stop()

        def get() -> bytes:
            with urllib.request.urlopen(running.http + "/metrics") as answer:
                assert answer.headers["content-type"].startswith("text/plain")
                body: bytes = answer.read()
                return body

        await running.until(lambda: running.service.sessions == 0)
        found = lines(await to_thread(get))
    assert found["streamasr_capacity_streams"] == 1
    assert found['streamasr_refusals_total{code="busy",path="/v1/stream"}'] == 1
    assert found['streamasr_sessions{dialect="native"}'] == 0
    assert found['streamasr_sessions_ended_total{dialect="native",reason="stop"}'] == 1
    assert found["streamasr_audio_seconds_total"] >= 1.0
    assert found["streamasr_stop_to_final_seconds_count"] == 1
