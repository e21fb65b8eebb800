from __future__ import annotations

from random import Random

import pytest

from streamasr.core.wordnet import WordNet, phrase_net
from streamasr.errors import ConfigError


def sentences(net: WordNet, most: int = 5) -> set[tuple[str, ...]]:
    """Everything that a network without links allows, up to so many words."""
    found, ways = set(), [(0, ())]
    while ways:
        node, said = ways.pop()
        if node in net.finals:
            found.add(said)
        if len(said) < most:
            ways += [(goal, (*said, word)) for at, goal, word in net.arcs if at == node]
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_network_says_its_phrases_and_nothing_else(seed: int) -> None:
    rng = Random(seed)
    phrases = {tuple(rng.choices("abc", k=rng.randint(1, 4))) for _ in range(rng.randint(1, 30))}
    net = phrase_net(sorted(phrases, key=lambda _: rng.random()))
    assert sentences(net) == phrases
    assert {node for arc in net.arcs for node in arc[:2]} | {0} == set(range(net.nodes))


def test_common_beginnings_and_ends_are_shared() -> None:
    net = phrase_net(f"turn {side} the {what} off".split() for side in "ab" for what in "cdef")
    assert net.nodes == 6
    assert len(net.arcs) == 9
    assert net.words() == sorted(["turn", "a", "b", "the", "c", "d", "e", "f", "off"])


def test_a_loop_leads_from_every_end_to_the_start() -> None:
    net = phrase_net([("on",), ("on", "now")], loop=True)
    assert net.links == {node: 0 for node in net.finals}


def test_a_filler_stands_beside_the_phrases() -> None:
    net = phrase_net([("on",)], filler=3.0)
    assert net.fillers == ((0, 2, 3.0),)
    assert 2 in net.finals
    assert phrase_net([], filler=3.0).words() == []


def test_no_phrase_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one phrase"):
        phrase_net([(), []])
