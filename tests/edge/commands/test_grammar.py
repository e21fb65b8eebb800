from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamasr.core.commands.decoder import CommandDecoder
from streamasr.core.graph import GraphModel
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.model import Emissions
from streamasr.edge.commands.grammar import CommandGrammar, Guess, Intent, compile_sentences
from streamasr.edge.commands.sentences import read_sentences
from streamasr.errors import ConfigError
from tests.graphs import LEXICON, emissions, toy_model

HOME = """
[lists]
what = [{in = "light", out = 1}, {in = "lights", out = 2}]
[intents.TurnOn]
sentences = ["turn on [the] {what}"]
slots = {state = "on"}
[intents.TurnOff]
sentences = ["turn off [the] {what}", "{what} off"]
"""


def base() -> GraphModel:
    return replace(
        toy_model(unit_weight=0.0),
        pronounce=lambda words: {word: LEXICON[word] for word in words if word in LEXICON},
    )


def grammar(folder: Path, text: str = HOME) -> CommandGrammar:
    file = folder / "home.toml"
    file.write_text(text)
    return compile_sentences(read_sentences(file), base())


def test_sentences_become_intents(tmp_path: Path) -> None:
    found = grammar(tmp_path)
    assert not found.problems
    assert found.understand("turn on the lights") == Intent("TurnOn", {"state": "on", "what": 2})
    assert found.understand("light off") == Intent("TurnOff", {"what": 1})
    assert found.understand("turn on") is None
    assert found.understand("") is None
    assert found.begin("turn") == Guess(("TurnOff", "TurnOn"), {})
    assert found.begin("turn on the") == Guess(("TurnOn",), {"state": "on"})
    assert found.begin("fly") is None


@pytest.mark.parametrize("decoder", [CommandDecoder, GraphDecoder])
def test_they_are_heard(tmp_path: Path, decoder: type[GraphDecoder]) -> None:
    ear = decoder(grammar(tmp_path).model)
    heard = emissions("SIL T ER ER N AO F F SIL SIL DH AH L AY T S S SIL SIL SIL SIL SIL SIL SIL")
    assert heard.phones is not None
    for row in range(len(heard.units)):
        ear.push(Emissions(heard.units[row : row + 1], heard.phones[row : row + 1]))
    ear.finish()
    assert ear.text == "turn off the lights"


def test_bad_sentences_are_left_out_and_told_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "home.toml"
    file.write_text(
        'intents.A = [\n"turn (on",\n"{none} on",\n"off"]\nintents.B = ["off", "blick"]\n'
    )
    found = compile_sentences(read_sentences(file), base())
    told = [str(problem).removeprefix(str(file)) for problem in found.problems]
    assert told == [
        ":2: cannot read 'turn (on': Unable to find end of group ')'",
        ":3: there is no list {none} (the file has no lists)",
        ":5: 'blick' is not in the lexicon: said from its letters",
        ":5: 'off' means A and B; it is taken for A, which comes first",
    ]
    assert found.understand("off") == Intent("A", {})


def test_nothing_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"home\.toml:1: cannot read"):
        grammar(tmp_path, "intents.A = ['turn (on']\n")


def test_many_sentences_compile(tmp_path: Path) -> None:
    """How long it takes is measured by bench/commands.py."""
    lines = ",\n".join(f'"turn on light {n} and light {n * 7 % 1000}"' for n in range(3000))
    found = grammar(tmp_path, f"[intents]\nA = [{lines}]\n")
    assert found.understand("turn on light two thousand and light zero") == Intent("A", {})
    assert found.understand("turn on light two thousand and light one") is None
