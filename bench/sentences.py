"""How long does a file of sentences take from disk to a grammar that can be heard?

    python bench/sentences.py [--save]

Ten thousand sentences of four to eight words in any order, written out in fifty intents, which
share little; and a small home of templates that allow two billion. Best of five, processor time and
wall clock; the lexicon is read before, as it is once by `streamasr command`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.report import finish
from streamasr.core.commands.network import Network
from streamasr.core.wordnet import WordNet
from streamasr.edge import bundle
from streamasr.edge.commands.grammar import compile_sentences
from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.lm.compile import load_graph

VERBS = ("turn on", "turn off", "open", "close", "dim", "show", "start", "stop", "play", "raise")
THINGS = ("lamp", "door", "radio", "heater", "camera", "window", "fan", "kettle", "pump", "gate")
COLOURS = ("red", "green", "blue", "white", "black", "brown", "yellow", "purple", "grey", "pink")
ROOMS = ("kitchen", "bedroom", "garden", "cellar", "office", "hall", "attic", "garage", "bath",
         "living room")  # fmt: skip
HOME = """
skip_words = ["please", "now"]
[lists]
name = ["the lamp", "the radio", "the heater", "the door", "the fan", "the kettle", "the window"]
room = ["kitchen", "bedroom", "living room", "garden", "cellar", "office", "hall", "garage"]
level = {from = 0, to = 100}
warmth = {from = 5, to = 30, fractions = "tenths"}
[intents]
On = ["(turn|switch) on {name} [in the {room}] [for {duration}]", "turn {name} on [at {time}]"]
Off = ["(turn|switch) off {name} [in the {room}] [in {duration}]", "turn {name} off [at {time}]"]
Dim = ["(dim|set) {name} [in the {room}] to {level}[ percent]"]
Warm = ["set ([in] the {room};to {warmth} [degrees])"]
"""


def written_out(rng: np.random.Generator) -> str:
    """Ten thousand sentences as TOML."""
    words = [*THINGS, *COLOURS, *ROOMS, *VERBS]
    every: dict[str, None] = {}
    while len(every) < 10_000:
        every[" ".join(rng.choice(words, size=int(rng.integers(4, 7)), replace=False))] = None
    order = list(every)
    lines = ["[intents]"]
    for intent in range(50):
        chosen = ", ".join(f'"{text}"' for text in order[intent::50])
        lines.append(f"Intent{intent} = [{chosen}]")
    return "\n".join(lines)


def count(net: WordNet) -> float:
    """How many sentences a network allows."""
    ways = np.zeros(net.nodes)
    ways[0] = 1.0
    total, reached = 0.0, ways
    while reached.any():
        total += sum(reached[node] for node in net.finals)
        step = np.zeros(net.nodes)
        for node, goal, _ in net.arcs:
            step[goal] += reached[node]
        reached = step
    return total


def main(model: str | None = None, save: bool = False) -> None:
    graph = load_graph(bundle.load(bundle.find(model)))
    graph.pronounce(["on"])
    figures = {}
    texts = {"written_out": written_out(np.random.default_rng(0)), "templates": HOME}
    for name, text in texts.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "home.toml"
            file.write_text(text)
            times = []
            for _ in range(5):
                begun, clock = time.process_time(), time.perf_counter()
                grammar = compile_sentences(read_sentences(file), graph)
                times.append((time.process_time() - begun, time.perf_counter() - clock))
            assert isinstance(grammar.network, Network)
            assert not grammar.problems, grammar.problems[:3]
        net, _ = grammar.network.word_net()
        figures[name] = {
            "sentences": int(count(net)), "nodes": net.nodes, "words": len(net.arcs),
            "arcs": grammar.model.graph.arcs,
            "cpu_s": round(min(t for t, _ in times), 3),
            "wall_s": round(min(t for _, t in times), 3),
        }  # fmt: skip
        print(name, figures[name])
    finish("sentences", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
