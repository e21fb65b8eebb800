from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamasr.core.decoder import GreedyDecoder
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.options import DecoderName, StreamOptions, decoder_name, decoder_used
from streamasr.core.vad import OpenGate, VadGate
from streamasr.errors import ConfigError
from tests.fakes import FACTS
from tests.graphs import toy_model

WITH_GRAPH = replace(FACTS, graph=toy_model())


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint_ms": 0},
        {"max_utterance_s": float("nan")},
        {"max_utterance_s": 1e9},
        {"trailing_blank_ms": 1},
        {"unfinished_ms": 1},
        {"over_ms": 90_000},
        {"vad_mode": 4},
        {"preroll_ms": -1},
        {"decoder": "best"},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        StreamOptions(**wrong)


def test_the_gate_is_open_where_none_is_wanted() -> None:
    assert isinstance(StreamOptions().gate(), VadGate)
    assert isinstance(StreamOptions(vad=False).gate(), OpenGate)


@pytest.mark.parametrize(
    ("name", "kind"), [("auto", GraphDecoder), ("graph", GraphDecoder), ("greedy", GreedyDecoder)]
)
def test_each_utterance_gets_a_decoder_of_its_own(name: DecoderName, kind: type) -> None:
    make = StreamOptions(decoder=name).decoder_maker(WITH_GRAPH)
    first, second = make(), make()
    assert type(first) is type(second) is kind
    assert first is not second


def test_without_a_graph_auto_is_greedy_and_graph_is_refused() -> None:
    assert decoder_used(FACTS, "auto") == "greedy"
    assert isinstance(StreamOptions().decoder_maker(FACTS)(), GreedyDecoder)
    with pytest.raises(ConfigError, match="--decoder greedy"):
        StreamOptions(decoder="graph").decoder_maker(FACTS)


def test_a_name_is_checked_where_it_enters() -> None:
    assert decoder_name("graph") == "graph"
    with pytest.raises(ConfigError, match="auto, greedy, graph"):
        decoder_name("beam")
