from __future__ import annotations

from itertools import pairwise

import kaldifst
import numpy as np
import pytest
from numpy.typing import NDArray

from streamasr.app.lm.estimate import count, estimate
from streamasr.app.lm.graph import build_graph
from streamasr.app.lm.lexicon import Lexicon
from streamasr.app.lm.ngram import SPECIAL
from streamasr.core.graph import Calibration, SearchGraph, SearchOptions, word_spans
from streamasr.core.graphsearch import GraphDecoder
from streamasr.core.phones import ENTER, PHONE_IDS, PHONES, SILENCE, START_WORD, STAY
from streamasr.errors import ConfigError

LEXICON: Lexicon = {
    "turn": [("T", "ER", "N")],
    "on": [("AA", "N")],
    "off": [("AO", "F")],
    "the": [("DH", "AH")],
    "light": [("L", "AY", "T")],
    "lights": [("L", "AY", "T", "S")],
}
TEXT = [line.split() for line in ("turn on the light", "turn off the lights", "turn the light off")]
WORDS = (*SPECIAL, *LEXICON)
SPOKEN = "SIL SIL T ER ER N AA N DH AH L L AY AY T SIL SIL SIL SIL SIL SIL SIL SIL SIL SIL"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> SearchGraph:
    file = tmp_path_factory.mktemp("graph") / "graph.fst"
    build_graph(estimate(WORDS, count(TEXT, WORDS, 3)), LEXICON).write(file)
    priors = np.full(len(PHONES), -np.log(len(PHONES)), np.float32)
    options = SearchOptions(settle=4, phone_cost=0.0, word_cost=0.0)
    return SearchGraph(kaldifst.StdConstFst.read(str(file)), WORDS, priors, options=options)


def emissions(spoken: str, sure: float = 0.9) -> NDArray[np.float32]:
    """Log posteriors [emissions, phones] of phones, each ``sure``."""
    ids = [PHONE_IDS[name] for name in spoken.split()]
    out = np.full((len(ids), len(PHONES)), (1 - sure) / (len(PHONES) - 1), np.float32)
    out[np.arange(len(ids)), ids] = sure
    return np.log(out)


def test_a_sentence_with_its_times(graph: SearchGraph) -> None:
    decoder = GraphDecoder(graph)
    decoder.push(emissions(SPOKEN))
    words = decoder.finish()
    assert [word.text for word in words] == ["turn", "on", "the", "light"]
    delay = graph.delay
    assert [(w.start + delay, w.end + delay) for w in words] == [
        (2, 6), (6, 8), (8, 10), (10, 15),
    ]  # fmt: skip
    assert decoder.silence_run == 10
    assert decoder.stable == 4


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_any_cutting_gives_the_same(graph: SearchGraph, size: int) -> None:
    rng = np.random.default_rng(3)
    spoken = emissions(SPOKEN) + rng.standard_normal((25, len(PHONES))).astype(np.float32)
    whole, cut = GraphDecoder(graph), GraphDecoder(graph)
    whole.push(spoken)
    for start in range(0, len(spoken), size):
        cut.push(spoken[start : start + size])
    assert cut.words == whole.words
    assert cut.finish() == whole.finish()


def test_words_become_stable_when_they_lie_back(graph: SearchGraph) -> None:
    decoder = GraphDecoder(graph)
    told = [" ".join(word.text for word in decoder.push(row[None])) for row in emissions(SPOKEN)]
    assert told[8] == ""
    assert told[9] == "turn"
    assert told[18] == "turn on the light"
    assert all(later.startswith(earlier) for earlier, later in pairwise(told))


def test_reset_forgets_everything(graph: SearchGraph) -> None:
    decoder = GraphDecoder(graph)
    decoder.push(emissions(SPOKEN))
    first = decoder.finish()
    decoder.reset()
    assert (decoder.words, decoder.emissions, decoder.stable) == ((), 0, 0)
    assert decoder.finish() == ()
    decoder.push(emissions(SPOKEN))
    assert decoder.finish() == first


def test_two_decoders_share_a_graph_and_nothing_else(graph: SearchGraph) -> None:
    one, two = GraphDecoder(graph), GraphDecoder(graph)
    for row in emissions(SPOKEN):
        one.push(row[None])
        two.push(emissions("SIL"))
    assert len(one.finish()) == 4
    assert two.finish() == ()


def test_doubt_lowers_confidence(graph: SearchGraph) -> None:
    sure, unsure = GraphDecoder(graph), GraphDecoder(graph)
    sure.push(emissions(SPOKEN, 0.95))
    unsure.push(emissions(SPOKEN, 0.4))
    for a, b in zip(sure.finish(), unsure.finish(), strict=True):
        assert 0 < b.confidence < a.confidence < 1


def test_the_word_cost_weighs_against_short_words(graph: SearchGraph) -> None:
    spoken = emissions(SPOKEN, 0.3)
    counts = []
    for cost in (0.0, 40.0):
        options = SearchOptions(word_cost=cost)
        decoder = GraphDecoder(
            SearchGraph(graph.fst, graph.words, graph.log_priors, options=options)
        )
        decoder.push(spoken)
        counts.append(len(decoder.finish()))
    assert counts[1] < counts[0]


def test_word_spans_end_at_the_next_word_or_a_pause() -> None:
    t, n = PHONE_IDS["T"], PHONE_IDS["N"]
    labels = [
        ENTER + SILENCE, STAY + SILENCE, START_WORD + t, STAY + t, ENTER + n,
        START_WORD + n, ENTER + SILENCE, ENTER + SILENCE, START_WORD + t,
    ]  # fmt: skip
    assert word_spans(labels) == [(2, 5), (5, 6), (8, 9)]
    assert word_spans([]) == []


def test_calibration_stays_a_probability() -> None:
    calibration = Calibration()
    assert calibration.confidence(-100.0, -100.0, 1) > 0
    assert calibration.confidence(100.0, 0.0, 1000) < 1


def test_senseless_options_are_refused() -> None:
    with pytest.raises(ConfigError):
        SearchOptions(beam=0)
