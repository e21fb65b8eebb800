from __future__ import annotations

from typing import Any

import pytest

from streamasr.edge.commands.actions import (
    ActionError,
    HomeAssistantAction,
    HttpAction,
    MqttAction,
    Order,
    ProgramAction,
    fill,
    read_action,
)
from streamasr.errors import ConfigError

ORDER = Order("Dim", {"name": "a/b+c #", "level": 40}, "dim it; rm -rf /", 0.87654)


def test_texts_are_filled_with_slots() -> None:
    assert fill("{intent} {name} {level} {confidence}", ORDER) == "Dim a/b+c # 40 0.877"
    with pytest.raises(ActionError, match="needs the slot room, which was not said"):
        fill("{room}", ORDER)


def test_an_mqtt_message() -> None:
    action = read_action({"mqtt": "home/{name}/set", "payload": "{level}", "retain": True})
    assert action == MqttAction("home/{name}/set", "{level}", retain=True)
    assert action.message(ORDER) == ("home/a_b_c _/set", "40")  # no topic of its own making
    whole = MqttAction("x").message(ORDER)[1]
    assert '"slots": {"name": "a/b+c #", "level": 40}' in whole
    assert read_action({"mqtt": "x", "payload": {"a": 1}}) == MqttAction("x", '{"a": 1}')


def test_a_webhook() -> None:
    action = read_action(
        {"webhook": "http://h/{name}", "method": "put", "body": {"n": "{level}", "t": "x{level}"}}
    )
    assert isinstance(action, HttpAction)
    assert action.request(ORDER) == (
        "PUT", "http://h/a%2Fb%2Bc%20%23", {"n": 40, "t": "x40"}, {},
    )  # fmt: skip
    assert HttpAction("http://h").request(ORDER)[2] == ORDER.table()


def test_what_home_assistant_is_asked() -> None:
    service = HomeAssistantAction("light.turn_on", {"entity_id": "{name}", "pct": ["{level}"]})
    assert service.request(ORDER) == (
        "/api/services/light/turn_on", {"entity_id": "a/b+c #", "pct": [40]},
    )  # fmt: skip
    assert HomeAssistantAction("conversation").request(ORDER) == (
        "/api/conversation/process", {"text": "dim it; rm -rf /", "language": "en"},
    )  # fmt: skip
    assert HomeAssistantAction("intent").request(ORDER) == (
        "/api/intent/handle", {"name": "Dim", "data": {"name": "a/b+c #", "level": 40}},
    )  # fmt: skip


def test_a_program_gets_one_argument_for_each_text() -> None:
    action = read_action({"program": ["say", "{text}", "-n{level}"], "timeout_s": 3})
    assert action == ProgramAction(("say", "{text}", "-n{level}"), 3.0)
    assert action.command(ORDER) == ["say", "dim it; rm -rf /", "-n40"]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({}, "one of mqtt, webhook"),
        ({"mqtt": "a", "program": ["b"]}, "one of mqtt, webhook"),
        ({"mqtt": "a/#"}, "no topic to publish to"),
        ({"mqtt": "a", "qos": 3}, "qos is 0, 1 or 2"),
        ({"mqtt": "a", "retain": "yes"}, "retain cannot be 'yes'"),
        ({"mqtt": "a", "colour": 1}, "unknown in an action: 'colour'"),
        ({"webhook": "example.org"}, "is no address"),
        ({"webhook": "file:///etc/passwd"}, "is no address"),
        ({"webhook": "http://{name}/x"}, "names its host by a slot"),
        ({"webhook": "http://h", "method": "EAT"}, "no method of HTTP"),
        ({"home_assistant": "light"}, "nothing to ask Home Assistant for"),
        ({"program": "rm -rf /"}, "a program is a list of arguments"),
        ({"program": []}, "a program is a list of arguments"),
        ({"program": ["a"], "timeout_s": 0}, "timeout_s lies in"),
    ],
)
def test_what_cannot_be_done_is_refused(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_action(table)
