from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from streamasr.core.dialects import Listen
from streamasr.core.events import Final, Partial
from streamasr.core.graph import GraphModel
from streamasr.core.messages import Start
from streamasr.core.recognizer import Recognizer
from streamasr.core.wordnet import UNKNOWN
from streamasr.edge.ears import Ears
from streamasr.edge.lane import Delivery, Statistics
from streamasr.edge.worker import EngineThread
from streamasr.errors import ConfigError
from tests.edge.daemon import as_sent, expected, pcm, settings_of
from tests.fakes import ScriptedEngine, silence, voice
from tests.graphs import LEXICON, toy_model


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


async def heard_as(start: Start, graph: GraphModel | None = None) -> Ears:
    engine = ScriptedEngine(facts=replace(ScriptedEngine().facts, graph=graph))
    worker = EngineThread(lambda: engine)
    await worker.start()
    try:
        return Ears(worker, Listen(start), settings_of(), lambda delivery, channel: None)
    finally:
        await worker.stop()


def speaking_model() -> GraphModel:
    return replace(
        toy_model(), pronounce=lambda words: {w: LEXICON[w] for w in words if w in LEXICON}
    )


async def test_a_grammar_takes_the_place_of_the_language_model() -> None:
    model = speaking_model()
    start = Start(grammar=("turn Light", "zork on"), decoder="greedy")
    ears = await heard_as(start, model)
    assert ears.kind == "graph"
    assert ears.ignored == ("grammar: zork",)
    grammar = ears.options.grammar
    assert grammar is not None
    assert "turn" in bytes(grammar.graph.text).decode()
    assert UNKNOWN not in spoken(grammar)
    again = await heard_as(start, model)
    assert again.options.grammar is grammar
    open_one = await heard_as(Start(grammar=("light", UNKNOWN)), model)
    assert open_one.options.grammar is not None
    assert UNKNOWN in spoken(open_one.options.grammar)


def spoken(model: GraphModel) -> set[str]:
    """The words that some path through the graph says."""
    graph = model.graph
    outputs = {*graph.outputs.tolist(), *graph.end_outputs.tolist()} - {0}
    return {graph.word(output) for output in outputs}


async def test_what_needs_a_graph_is_named_where_there_is_none() -> None:
    ears = await heard_as(Start(grammar=("light",), alternatives=3))
    assert ears.ignored == ("grammar", "alternatives")
    assert ears.kind == "greedy"
    assert ears.options.grammar is None


async def test_a_grammar_of_words_that_nobody_can_say_is_refused() -> None:
    with pytest.raises(ConfigError, match="zork"):
        await heard_as(Start(grammar=("zork",)), speaking_model())


@pytest.mark.parametrize("wanted", [True, False])
async def test_words_of_partials_are_placed_only_for_who_tells_them(wanted: bool) -> None:
    worker = EngineThread(ScriptedEngine)
    await worker.start()
    listen = Listen(Start(), partial_words=wanted)
    ears = Ears(worker, listen, settings_of(), lambda delivery, channel: None)
    await worker.stop()
    with Recognizer(ScriptedEngine()).stream(ears.options) as stream:
        events = stream.accept(voice(1.0, 1)) + stream.finish()
    partials = [event for event in events if isinstance(event, Partial)]
    assert partials
    assert all(bool(partial.words) == wanted for partial in partials)
    assert all(event.words for event in events if isinstance(event, Final))


async def test_marks_are_named_as_ignored_where_no_model_knows_them() -> None:
    ears = await heard_as(Start(punctuate=True))
    assert ears.ignored == ("punctuate",)
    assert not ears.options.punctuate
