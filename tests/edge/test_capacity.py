from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from streamasr.core.hotwords import HotWord, heat
from streamasr.core.options import StreamOptions
from streamasr.edge import capacity
from streamasr.edge.bundle import find
from streamasr.edge.capacity import Calibration, fingerprint, kind_of
from streamasr.edge.client import connect
from streamasr.edge.engines import open_engine
from streamasr.errors import OverloadError
from tests.edge.daemon import daemon, pcm, settings_of
from tests.fakes import ScriptedEngine, tone
from tests.graphs import LEXICON, toy_model

HOT = heat(replace(toy_model(), pronounce=lambda words: LEXICON), [HotWord("turn")])


def test_a_measured_cost_is_found_again(tmp_path: Path) -> None:
    engine = ScriptedEngine(capacity=4)
    first, again = (Calibration(settings_of(), tmp_path) for _ in range(2))
    assert first.streams is None
    assert len(list(first.measure(engine))) > 1
    assert first.costs["greedy"] > capacity.LOOP_COST
    assert first.streams is not None
    assert first.streams >= 1
    assert engine.open_slots == 0
    assert list(again.measure(engine)) == []
    assert again.costs == first.costs


def test_measuring_that_is_broken_off_gives_back_its_slots(tmp_path: Path) -> None:
    engine = ScriptedEngine(capacity=4)
    calibration = Calibration(settings_of(), tmp_path)
    work = calibration.measure(engine)
    next(work)
    assert engine.open_slots == 4
    work.close()
    assert engine.open_slots == 0
    assert calibration.streams is None
    assert not list(tmp_path.iterdir())


def test_a_file_that_says_nothing_is_measured_anew(tmp_path: Path) -> None:
    engine = ScriptedEngine(capacity=2)
    name = f"capacity-{fingerprint(engine)}.json"
    (tmp_path / name).write_text("nonsense")
    calibration = Calibration(settings_of(), tmp_path)
    assert list(calibration.measure(engine))
    assert json.loads((tmp_path / name).read_text())["costs"] == calibration.costs


def test_workers_share_the_cores() -> None:
    one, many = (Calibration(settings_of(server__workers=n)) for n in (1, 64))
    one.costs = many.costs = {"greedy": 0.004}
    assert one.streams is not None
    assert many.streams is not None
    assert many.streams < one.streams == int(capacity.USE / 0.004)


def test_a_real_engine_is_measured_on_speech(tmp_path: Path, tiny_bundle: Path) -> None:
    engine = open_engine(find(str(tiny_bundle)), device="cpu", capacity=4)
    calibration = Calibration(settings_of(), tmp_path)
    assert list(calibration.measure(engine))
    assert len(list(tmp_path.glob("capacity-*.json"))) == 1
    assert calibration.streams is not None


def test_a_stream_counts_by_the_cost_of_its_kind() -> None:
    calibration = Calibration(settings_of())
    assert calibration.free(["greedy"]) is None
    assert calibration.fits(["graph"] * 1000, "hotwords")
    calibration.usual = "graph"
    calibration.costs = {"greedy": 0.01, "graph": 0.02, "hotwords": 0.3}
    assert calibration.streams == 40
    assert calibration.free(["greedy"] * 20) == 30
    assert calibration.free(["hotwords", "graph"]) == 24
    assert calibration.free(["graph"] * 50) == 0
    assert calibration.fits(["graph"] * 25, "hotwords")
    assert not calibration.fits(["graph"] * 26, "hotwords")
    assert calibration.fits([], "hotwords")
    calibration.costs = {"greedy": 0.01}  # of others nothing was measured
    assert calibration.free(["hotwords"] * 2) == 78


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (StreamOptions(decoder="greedy"), "greedy"),
        (StreamOptions(), "graph"),
        (StreamOptions(hotwords=heat(toy_model(), [])), "graph"),
        (StreamOptions(hotwords=HOT), "hotwords"),
        (StreamOptions(decoder="greedy", grammar=toy_model()), "graph"),
    ],
)
def test_what_a_stream_costs_as_much_as(options: StreamOptions, kind: str) -> None:
    facts = replace(ScriptedEngine().facts, graph=toy_model())
    assert kind_of(facts, options) == kind


def test_all_kinds_of_a_model_are_measured(
    tmp_path: Path, graph_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "SECONDS", 0.3)
    monkeypatch.setattr(capacity, "HOT", ("turn", "zork"))
    engine = open_engine(graph_bundle, device="cpu", capacity=2)
    calibration = Calibration(settings_of(), tmp_path)
    assert list(calibration.measure(engine))
    assert set(calibration.costs) == {"greedy", "graph", "hotwords"}
    assert calibration.usual == "graph"


async def test_the_idle_engine_measures_and_gives_way_to_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one slot a client and the measurement cannot both have it."""
    monkeypatch.setattr(capacity, "SECONDS", 0.5)
    calibration = Calibration(settings_of(), tmp_path)
    async with daemon(
        ScriptedEngine(capacity=1), idle_work=calibration.measure, capacity=calibration
    ) as running:
        for _ in range(3):
            async with connect(running.url, vad=False) as client:
                await client.send(pcm(tone(0.5)))
                await client.stop()
        await running.until(lambda: calibration.streams is not None)
        assert running.service.room == 1


async def test_an_operator_may_trust_the_limit_alone(tmp_path: Path) -> None:
    calibration = Calibration(settings_of(), tmp_path)
    calibration.costs = {"greedy": 0.4}
    async with daemon(capacity=calibration) as running:
        assert running.service.room == 2
    async with daemon(capacity=calibration, limits__calibrated=False) as running:
        assert running.service.room == 64


def speaking_engine() -> ScriptedEngine:
    graph = replace(toy_model(), pronounce=lambda words: LEXICON)
    return ScriptedEngine(capacity=64, facts=replace(ScriptedEngine().facts, graph=graph))


async def test_sessions_are_let_in_by_what_they_cost() -> None:
    calibration = Calibration(settings_of())
    calibration.usual = "graph"
    calibration.costs = {"greedy": 0.1, "graph": 0.2, "hotwords": 0.5}
    async with (
        daemon(speaking_engine(), capacity=calibration) as running,
        AsyncExitStack() as stack,
    ):
        service = running.service
        assert service.room == 4
        for number in range(6):  # six of 0.1 leave 0.2, which is one more at the door
            assert service.room >= number + 1
            await stack.enter_async_context(connect(running.url, decoder="greedy"))
        assert service.room == 7
        service.update()
        assert "streamasr_capacity_streams 7.0" in service.meters.page()[0].decode()
        await stack.enter_async_context(connect(running.url))
        with pytest.raises(OverloadError):
            await stack.enter_async_context(connect(running.url, decoder="greedy"))
    assert service.streams == 0


async def test_hot_words_that_take_too_much_are_refused_after_the_door() -> None:
    calibration = Calibration(settings_of())
    calibration.usual = "graph"
    calibration.costs = {"greedy": 0.1, "graph": 0.2, "hotwords": 0.7}
    async with (
        daemon(speaking_engine(), capacity=calibration) as running,
        connect(running.url, decoder="greedy"),
    ):
        async with connect(running.url, hotwords=["turn"]) as client:
            assert client.ready.decoder == "graph"
        async with connect(running.url):
            with pytest.raises(OverloadError, match="no room"):
                async with connect(running.url, hotwords=["turn"]):
                    pass
    async with (
        daemon(speaking_engine(), capacity=calibration, limits__calibrated=False) as running,
        connect(running.url),
        connect(running.url, hotwords=["turn"]),
    ):
        assert running.service.room == 64
