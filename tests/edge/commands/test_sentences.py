from __future__ import annotations

from pathlib import Path

import pytest

from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.commands.templates import Moments, Numbers, Value
from streamasr.errors import ConfigError

TOML = """\
language = "en"
skip_words = ["please"]

[lists]
name = ["lamp", {in = "tee vee", out = "media.tv", context = {domain = "media"}}]
warmth = {from = 5, to = 30, fractions = "halves"}
wait = {type = "duration"}

[rules]
the = "[the|my]"

[pronunciations]
lamp = "L AE1 M P"

[intents]
Stop = ["stop", "halt"]

[intents.TurnOn]
sentences = "turn on <the> {name}"
slots = {state = "on"}
actions = [{print = true}]

[[intents.Set.data]]
sentences = ["warm"]
slots = {to = 20}
requires_context = {domain = "climate"}
[[intents.Set.data]]
sentences = ["cold"]
"""
YAML = """\
language: en
intents:
  HassTurnOn:
    data:
      - sentences:
          - "turn on [the] {name}"
        requires_context:
          domain: light
          area: {slot: true}
lists:
  name:
    values:
      - lamp
      - in: "[big ]fan"
        out: 'fan.big'
  level:
    range: {type: percentage, from: 0, to: 100, step: 5}
expansion_rules:
  the: "[the]"
"""


def write(folder: Path, text: str, name: str = "home.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_toml_file(tmp_path: Path) -> None:
    found = read_sentences(write(tmp_path, TOML))
    assert not found.problems
    blocks = {(b.intent, b.sentences): dict(b.slots) for b in found.blocks}
    assert blocks == {
        ("Stop", (("stop", 16), ("halt", 16))): {},
        ("TurnOn", (("turn on <the> {name}", 19),)): {"state": "on"},
        ("Set", (("warm", 24),)): {"to": 20},
        ("Set", (("cold", 28),)): {},
    }
    lists = found.blocks[0].lists
    assert lists["name"] == [
        Value("lamp", "lamp", {}, 5), Value("tee vee", "media.tv", {"domain": "media"}, 5),
    ]  # fmt: skip
    assert lists["warmth"] == Numbers(5, 30, 1, "halves")
    assert lists["wait"] == Moments("duration")
    assert found.skip_words == ("please",)
    assert found.pronunciations == {"lamp": [("L", "AE", "M", "P")]}
    assert found.actions == {"": [], "Stop": [], "TurnOn": [{"print": True}], "Set": []}
    assert found.blocks[2].context == {"domain": "climate"}


def test_a_yaml_file_of_home_assistant(tmp_path: Path) -> None:
    found = read_sentences(write(tmp_path, YAML, "home.yaml"))
    assert not found.problems
    (block,) = found.blocks
    assert block.intent == "HassTurnOn"
    assert block.sentences == (("turn on [the] {name}", 6),)
    assert block.context == {"domain": "light"}
    assert block.lists["level"] == Numbers(0, 100, 5)
    assert block.lists["name"][1] == Value("[big ]fan", "fan.big", {}, 14)  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("colour = 3", ":2: unknown: 'colour'"),
        ("lists = {name = []}", ":2: the list name: it has no values"),
        ("lists = {name = {wildcard = true}}", "the list name: free text cannot be heard"),
        ("lists = {name = {from = 5}}", "the list name: it needs values, or a range"),
        ("lists = {n = {from = 5, to = 1}}", "the list n: the range 5 to 1 is empty"),
        ("lists = {n = {from = 'a', to = 1}}", "whole numbers"),
        ("lists = {n = {from = 1, to = 3, fractions = 'x'}}", "halves or tenths"),
        ("lists = {n = {from = 0, to = 99999}}", "more than 10 000 numbers"),
        ("lists = {n = [{in = 'a', out = 1}, {in = 'a', out = 2}]}", "'a' means 1 already"),
        ("lists = {n = ['a', '']}", "a value is empty"),
        ("lists = {n = ['a', [1]]}", "a value is a text"),
        ("lists = 3", ":2: lists must be a table"),
        ("rules = {the = 3}", "the rule <the> is no text"),
        ("pronunciations = {lamp = 'L QQ'}", "the pronunciation of lamp: 'QQ' is no phone"),
        ("intents.B = 3", "the intent B needs sentences"),
        ("intents.B = {}", "the intent B has no sentences"),
        ("intents.B = {sentences = [3]}", "must be a list of texts"),
        ("intents.B = {sentences = ['b'], colour = 1}", "unknown in the intent B: 'colour'"),
        ("intents.B = {data = [3]}", "must be tables with sentences"),
        ("actions = 'mqtt'", "an action is a table"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_holds(
    tmp_path: Path, line: str, complaint: str
) -> None:
    found = read_sentences(write(tmp_path, f"intents.A = ['a']\n{line}\n"))
    assert found.blocks[0].sentences == (("a", 1),)
    (problem, *_) = found.problems
    assert str(problem).startswith(f"{tmp_path}/home.toml:2: ")
    assert complaint in str(problem)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("home.toml", "a = 1\nb = = 2\n", r"home\.toml:2: Invalid value .*TOML"),
        ("home.yaml", "a: 1\nb: [1\nc: 2\n", r"home\.yaml:[23]: .*YAML"),
        ("home.yaml", "- a\n", "holds no table"),
        ("home.toml", "", "has no sentences"),
        ("home.toml", "intents.B = 3", r"home\.toml:1: the intent B needs sentences"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_sentences(write(tmp_path, text, name))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_sentences(tmp_path / "home.toml")
    (tmp_path / "home.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_sentences(tmp_path / "home.toml")
