from __future__ import annotations

import re

import pytest

from streamasr.core.commands.network import Drawing
from streamasr.edge.commands.templates import Artist, Numbers, SlotList, Value, spoken_text
from streamasr.errors import ConfigError

LISTS: dict[str, SlotList] = {
    "name": [
        Value("kitchen lamp[s]", "light.kitchen", {"domain": "light"}),
        Value("Café TV", "media.cafe", {"domain": "media"}),
        Value("fan", "fan.one"),
    ],
    "warmth": Numbers(5, 30, 1, "halves"),
    "level": Numbers(0, 100, 10, multiplier=2.55),
}
RULES = {"the": "[the]", "please": "(please|would you)", "again": "<again>", "deep": "<the> big"}


def understand(template: str, text: str, **context: object) -> object:
    drawing = Drawing()
    Artist(drawing, LISTS, RULES, ["kindly"]).sentence(template, 0, context)
    found = drawing.network().understand(text.split())
    return None if found is None else dict(found.slots)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("turn (on|off) [the] light[s]", "turn off lights"),
        ("turn (on|off) [the] light[s]", "turn on the light"),
        ("[please] stop[ now]", "stop now"),
        ("[please] stop[ now]", "please stop"),
        ("(in the kitchen;turn it off;now)", "now turn it off in the kitchen"),
        ("<please> open <deep> door", "would you open the big door"),
        ("re(open|start)", "restart"),
        ("go", "kindly go"),
        ("go", "go kindly kindly"),
        ("Level 3, please!", "level three please"),
    ],
)
def test_a_template_allows_its_sentences(template: str, text: str) -> None:
    assert understand(template, text) == {}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("turn (on|off) [the] light[s]", "turn light"),
        ("(a;b)", "a"),
        ("(a;b)", "a a"),
        ("re(open|start)", "re start"),
        ("go", "kindly kindly kindly go"),
    ],
)
def test_and_no_others(template: str, text: str) -> None:
    assert understand(template, text) is None


@pytest.mark.parametrize(
    ("template", "text", "slots"),
    [
        ("{name} off", "kitchen lamps off", {"name": "light.kitchen"}),
        ("{name:what} off", "cafe tv off", {"what": "media.cafe"}),
        ("set {warmth}", "set twenty one and a half", {"warmth": 21.5}),
        ("set {warmth}", "set thirty", {"warmth": 30}),
        ("set {warmth}", "set thirty point five", None),
        ("set {level}%", "set twenty percent", {"level": 51}),
        ("set {1..10,3:n}", "set seven", {"n": 7}),
        ("set {1..10,3:n}", "set eight", None),
        ("wake me at {time}", "wake me at half past seven", {"time": "07:30"}),
        ("in {duration:wait} stop", "in two and a half hours stop", {"wait": 9000}),
        ("{name} {name:other}", "fan kitchen lamp", {"name": "fan.one", "other": "light.kitchen"}),
    ],
)
def test_slots(template: str, text: str, slots: object) -> None:
    assert understand(template, text) == slots


def test_only_values_that_fit_the_context_are_drawn() -> None:
    assert understand("{name} off", "cafe tv off", domain="light") is None
    assert understand("{name} off", "kitchen lamp off", domain=["light", "x"])
    assert understand("{name} off", "fan off", domain="light")  # it says nothing of domains


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("turn (on", "cannot read 'turn (on'"),
        ("turn {nothing}", "no list {nothing}"),
        ("turn <nothing>", "no rule <nothing>"),
        ("<again>", "leads back to itself"),
        ("привет", "cannot be spoken"),
        ("(a;b;c;d;e;f;g)", "permutation of 7 parts"),
        ("  ", "empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(template: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        understand(template, "")


def test_text_as_it_is_spoken() -> None:
    said = spoken_text("Set the 2nd TV2 to 21.5% – Señor's wi-fi, -3°")
    assert said.split() == (
        "set the second tv two to twenty one point five percent señor's wi fi minus three degrees"
        .replace("ñ", "n").split()
    )  # fmt: skip
    assert spoken_text(" on ") == " on "
    with pytest.raises(ConfigError, match="too big"):
        spoken_text("1000000")
