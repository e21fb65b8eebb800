from __future__ import annotations

from random import Random

import pytest

from streamasr.core.commands.network import Beginning, Close, Drawing, Meaning, Open


def draw(drawing: Drawing, text: str, block: int, node: int = 0) -> None:
    for at, word in enumerate(text.split()):
        node = drawing.draw(node, " ") if at else node
        node = drawing.draw(node, word)
    drawing.ends[drawing.draw(node, "", drawing.node())] = block


@pytest.mark.parametrize("seed", range(5))
def test_a_network_understands_its_sentences_and_no_others(seed: int) -> None:
    rng = Random(seed)
    drawing = Drawing()
    sentences: dict[str, int] = {}
    for block in range(3):
        for _ in range(20):
            text = " ".join(rng.choices("abc", k=rng.randint(1, 4)))
            if text not in sentences:
                sentences[text] = block
                draw(drawing, text, block)
    network = drawing.network()
    net, doubtful = network.word_net()
    assert not doubtful
    ways = {0: [""]}
    allowed = set()
    for _ in range(5):
        for node, texts in ways.items():
            allowed |= set(texts) if node in net.finals else set()
        reached: dict[int, list[str]] = {}
        for node, goal, word in net.arcs:
            reached.setdefault(goal, []).extend(f"{t} {word}".strip() for t in ways.get(node, ()))
        ways = reached
    assert allowed == set(sentences)
    for text, block in sentences.items():
        assert network.understand(text.split()) == Meaning(block, {})
    for _ in range(100):
        text = " ".join(rng.choices("abcd", k=rng.randint(0, 5)))
        assert (network.understand(text.split()) is not None) == (text in sentences)


def test_words_are_made_of_pieces() -> None:
    drawing = Drawing()
    node = drawing.draw(0, "light")
    end = drawing.node()
    drawing.draw(node, "", end)
    drawing.draw(drawing.draw(node, "s"), "", end)
    drawing.ends[drawing.draw(end, " ")] = 0
    network = drawing.network()
    assert network.understand(["light"])
    assert network.understand(["lights"])
    assert not network.understand(["light", "s"])


def test_a_slot_is_given_or_made_of_its_words() -> None:
    drawing = Drawing()
    node = drawing.draw(drawing.draw(0, "set"), " ")
    node = drawing.draw(node, "", drawing.node(Open("name")))
    node = drawing.draw(drawing.draw(drawing.draw(node, "big"), " "), "lamp")
    node = drawing.draw(node, "", drawing.node(Close("name", 7)))
    node = drawing.draw(node, " ")
    node = drawing.draw(node, "", drawing.node(Open("when")))
    node = drawing.draw(drawing.draw(drawing.draw(node, "in"), " "), "may")
    node = drawing.draw(node, "", drawing.node(Close("when", convert="-".join)))
    drawing.ends[node] = 4
    network = drawing.network()
    assert network.understand(["set", "big", "lamp", "in", "may"]) == Meaning(
        4, {"name": 7, "when": "in-may"}
    )
    assert network.begin(["set", "big", "lamp", "in"]) == Beginning(frozenset({4}), {"name": 7})
    assert network.begin(["set", "small"]) is None


def test_what_was_drawn_first_holds_and_the_doubt_is_told() -> None:
    drawing = Drawing()
    for block in (0, 1):
        draw(drawing, "lights off", block, drawing.draw(0, "", drawing.node()))
    network = drawing.network()
    assert network.understand(["lights", "off"]) == Meaning(0, {})
    assert network.begin(["lights"]) == Beginning(frozenset({0, 1}), {})
    assert network.word_net()[1] == [("lights off", (0, 1))]


def test_what_may_follow_the_first_words() -> None:
    drawing = Drawing()
    for text in ("lights off", "lights on", "lights on please"):
        draw(drawing, text, 0, drawing.draw(0, "", drawing.node()))
    network = drawing.network()
    looks = [
        network.outlook(words.split()) for words in ("lights", "lights on", "lights off", "on")
    ]
    assert looks == ["unfinished", "open", "over", "open"]
    assert network.outlook([]) == "unfinished"


def test_a_draw_that_repeats_leads_to_the_same_node() -> None:
    drawing = Drawing()
    assert drawing.draw(0, "on") == drawing.draw(0, "on")
    assert drawing.draw(0, "on", drawing.node()) != drawing.draw(0, "on")
