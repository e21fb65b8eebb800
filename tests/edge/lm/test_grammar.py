from __future__ import annotations

import pytest

from streamasr.core.graph import GraphModel
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.model import Emissions
from streamasr.core.pathsearch import PlainSearch
from streamasr.core.wordnet import UNKNOWN, WordNet, phrase_net
from streamasr.edge.lm.grammar import grammar_graph, grammar_model
from streamasr.errors import ConfigError
from tests.graphs import LEXICON, emissions, muddle, toy_model

PHRASES = [p.split() for p in ("turn on the light", "turn off the lights", "light off")]
REST = "SIL SIL SIL SIL"
LIGHT_ON = f"SIL T ER ER N AA N DH AH L AY AY T {REST}"
LIGHTS_OFF = f"SIL T ER N AO F F SIL SIL DH AH L AY T S S {REST}"
NONSENSE = f"SIL B IY S K W OW OW Z UW M IY {REST}"


def model(net: WordNet, **options: float) -> GraphModel:
    def say(words: object) -> object:
        return LEXICON

    return grammar_model(toy_model(), net, say, unit_weight=0.0, **options)[0]  # type: ignore[arg-type]


def decode(used: GraphModel, spoken: str) -> str:
    decoder = GraphDecoder(used)
    heard = emissions(spoken)
    assert heard.phones is not None
    for row in range(len(heard.units)):
        decoder.push(Emissions(heard.units[row : row + 1], heard.phones[row : row + 1]))
    decoder.finish()
    return decoder.text


@pytest.mark.parametrize(
    ("spoken", "text"), [(LIGHT_ON, "turn on the light"), (LIGHTS_OFF, "turn off the lights")]
)
def test_a_phrase_is_heard(spoken: str, text: str) -> None:
    assert decode(model(phrase_net(PHRASES)), spoken) == text


def test_what_no_phrase_allows_is_not_heard() -> None:
    said = f"SIL L AY T AA N {REST}"  # "light on"
    assert decode(model(phrase_net(PHRASES)), said) in {" ".join(p) for p in PHRASES}


def test_phrases_follow_each_other_in_a_loop() -> None:
    said = f"SIL L AY T AO F SIL T ER N AA N DH AH L AY T {REST}"
    assert decode(model(phrase_net(PHRASES, loop=True)), said) == "light off turn on the light"
    assert decode(model(phrase_net(PHRASES)), said) in {" ".join(p) for p in PHRASES}


def test_a_filler_takes_what_no_phrase_says_and_leaves_what_one_does() -> None:
    used = model(phrase_net(PHRASES, filler=4.0))
    assert decode(used, NONSENSE) == UNKNOWN
    assert decode(used, LIGHT_ON) == "turn on the light"


def test_fillers_and_phrases_mix_in_a_loop() -> None:
    used = model(phrase_net(PHRASES, filler=4.0, loop=True))
    said = f"SIL B IY S K W OW OW Z UW M SIL L AY T AO F {REST}"
    assert decode(used, said) == f"{UNKNOWN} light off"


@pytest.mark.parametrize("seed", range(4))
def test_both_searches_agree_on_a_grammar(seed: int) -> None:
    used = model(phrase_net(PHRASES, filler=4.0, loop=True))
    heard = muddle(LIGHTS_OFF, seed)
    plain, decoder = PlainSearch(used), GraphDecoder(used)
    plain.push(heard)
    decoder.push(Emissions(heard[:, :1], heard))
    best, same = plain.readings()[0], decoder.readings()[0]
    assert best.path.words == same.path.words
    assert best.cost == pytest.approx(same.cost, abs=1e-4)


def test_words_that_nobody_can_say_are_told_and_left_out() -> None:
    net = phrase_net([*PHRASES, ["zork", "off"]])
    graph, unknown = grammar_graph(net, LEXICON)
    assert unknown == ["zork"]
    assert graph.roots == net.nodes
    with pytest.raises(ConfigError, match="nobody knows how to say zork"):
        grammar_graph(phrase_net([["zork"]]), LEXICON)
