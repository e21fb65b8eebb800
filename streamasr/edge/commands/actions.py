"""What to do with an intent, as the file of sentences says it: read and checked here.

    action = read_action({"mqtt": "home/{name}/set", "payload": "{state}", "retain": True})

Texts may hold ``{slot}``, ``{intent}``, ``{text}`` and ``{confidence}``. Values go in as they
are: never through a shell, and never as a new part of a topic, an address or a command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from streamasr.errors import ConfigError, StreamasrError

TIMEOUT_S = 10.0
_PLACE = re.compile(r"\{(\w+)\}")
_SERVICE = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


class ActionError(StreamasrError):
    """An action failed; the message says why."""

    code = "action"


@dataclass(frozen=True, slots=True)
class Order:
    """An intent as actions see it."""

    intent: str
    slots: Mapping[str, Any]
    text: str
    confidence: float

    def table(self) -> dict[str, Any]:
        """What is sent where nothing else is asked for."""
        return {
            "intent": self.intent, "slots": dict(self.slots), "text": self.text,
            "confidence": round(self.confidence, 3),
        }  # fmt: skip

    def places(self) -> dict[str, Any]:
        """What texts may name."""
        return {**self.slots, **{k: v for k, v in self.table().items() if k != "slots"}}


def fill(template: str, order: Order, escape: Callable[[str], str] = str) -> str:
    """Put an order into a text; raises ActionError for a slot that it lacks."""
    places = order.places()

    def value(match: re.Match[str]) -> str:
        if match[1] not in places:
            raise ActionError(f"{template!r} needs the slot {match[1]}, which was not said")
        found = places[match[1]]
        return escape(found if isinstance(found, str) else json.dumps(found, default=str))

    return _PLACE.sub(value, template)


def fill_deeply(value: Any, order: Order) -> Any:
    """Fill all texts of a table; a text that is nothing but ``{slot}`` becomes its value."""
    match value:
        case str():
            whole = _PLACE.fullmatch(value)
            places = order.places()
            if whole and whole[1] in places:
                return places[whole[1]]
            return fill(value, order)
        case Mapping():
            return {key: fill_deeply(item, order) for key, item in value.items()}
        case list():
            return [fill_deeply(item, order) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class MqttAction:
    """Publish a message."""

    topic: str
    payload: str | None = None
    """The order as JSON without one."""
    retain: bool = False
    qos: int = 0
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        return f"mqtt {self.topic}"

    def message(self, order: Order) -> tuple[str, str]:
        """Topic and payload."""
        topic = fill(self.topic, order, lambda text: re.sub(r"[/+#\0]", "_", text))
        payload = None if self.payload is None else fill(self.payload, order)
        return topic, json.dumps(order.table()) if payload is None else payload


@dataclass(frozen=True, slots=True)
class HttpAction:
    """Call an address; a status from 400 on is a failure."""

    url: str
    method: str = "POST"
    body: Any = None
    """Sent as JSON; the order without one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        return f"{self.method} {self.url}"

    def request(self, order: Order) -> tuple[str, str, Any, Mapping[str, str]]:
        """Method, address, body and headers."""
        url = fill(self.url, order, lambda text: quote(text, safe=""))
        body = order.table() if self.body is None else fill_deeply(self.body, order)
        return self.method, url, body, self.headers


@dataclass(frozen=True, slots=True)
class HomeAssistantAction:
    """Ask Home Assistant: ``conversation``, ``intent``, or a service such as light.turn_on."""

    what: str
    data: Any = None
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        return f"home_assistant {self.what}"

    def request(self, order: Order) -> tuple[str, Any]:
        """Path and body."""
        if self.what == "conversation":
            return "/api/conversation/process", {"text": order.text, "language": "en"}
        data = dict(order.slots) if self.data is None else fill_deeply(self.data, order)
        if self.what == "intent":
            return "/api/intent/handle", {"name": order.intent, "data": data}
        return f"/api/services/{self.what.replace('.', '/')}", data


@dataclass(frozen=True, slots=True)
class ProgramAction:
    """Start a program; it gets the order as JSON on its standard input."""

    arguments: Sequence[str]
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        return f"program {self.arguments[0]}"

    def command(self, order: Order) -> list[str]:
        return [self.arguments[0], *(fill(argument, order) for argument in self.arguments[1:])]


Action = MqttAction | HttpAction | HomeAssistantAction | ProgramAction
KINDS = ("mqtt", "webhook", "home_assistant", "program")


def read_action(table: Mapping[str, Any]) -> Action:
    """Check the table of an action; raises ConfigError for what cannot be done."""
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        raise ConfigError("an action has one of " + ", ".join(KINDS))
    (kind,) = kinds
    given = dict(table)
    main = given.pop(kind)
    timeout_s = given.pop("timeout_s", TIMEOUT_S)
    if type(timeout_s) not in (int, float) or not 0 < timeout_s <= 300:
        raise ConfigError(f"timeout_s lies in 0..300, got {timeout_s!r}")
    readers: dict[str, Callable[[Any, dict[str, Any], float], Action]] = {
        "mqtt": _mqtt, "webhook": _webhook, "home_assistant": _home_assistant, "program": _program,
    }  # fmt: skip
    return readers[kind](main, given, float(timeout_s))


def _mqtt(topic: Any, given: dict[str, Any], timeout_s: float) -> MqttAction:
    _only(given, {"payload": (str, int, float, dict), "retain": (bool,), "qos": (int,)})
    payload = given.get("payload")
    if payload is not None and not isinstance(payload, str):
        payload = json.dumps(payload)
    if not isinstance(topic, str) or not topic or re.search(r"[+#]", topic):
        raise ConfigError(f"{topic!r} is no topic to publish to", remedy="without + and #")
    if given.get("qos", 0) not in (0, 1, 2):
        raise ConfigError(f"qos is 0, 1 or 2, got {given['qos']}")
    return MqttAction(topic, payload, given.get("retain", False), given.get("qos", 0), timeout_s)


def _webhook(url: Any, given: dict[str, Any], timeout_s: float) -> HttpAction:
    _only(given, {"method": (str,), "body": (dict, list, str), "headers": (dict,)})
    check_url(url)
    method = given.get("method", "POST").upper()
    if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        raise ConfigError(f"{method} is no method of HTTP")
    headers = {str(name): str(value) for name, value in given.get("headers", {}).items()}
    return HttpAction(url, method, given.get("body"), headers, timeout_s)


def _home_assistant(what: Any, given: dict[str, Any], timeout_s: float) -> HomeAssistantAction:
    _only(given, {"data": (dict,)})
    if not isinstance(what, str) or not (
        what in ("conversation", "intent") or _SERVICE.fullmatch(what)
    ):
        raise ConfigError(
            f"{what!r} is nothing to ask Home Assistant for",
            remedy="conversation, intent, or a service such as light.turn_on",
        )
    return HomeAssistantAction(what, given.get("data"), timeout_s)


def _program(arguments: Any, given: dict[str, Any], timeout_s: float) -> ProgramAction:
    _only(given, {})
    is_list = isinstance(arguments, list) and all(isinstance(item, str) for item in arguments)
    if not is_list or not arguments or not arguments[0]:
        raise ConfigError(
            "a program is a list of arguments",
            remedy='such as program = ["notify-send", "{text}"]; there is no shell',
        )
    return ProgramAction(tuple(arguments), timeout_s)


def check_url(url: Any) -> None:
    """Raise ConfigError for what is no address of HTTP."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no address", remedy="http://HOST/PATH")
    if "{" in parts.netloc:
        raise ConfigError(f"{url!r} names its host by a slot", remedy="write the host out")


def _only(given: Mapping[str, Any], known: Mapping[str, tuple[type, ...]]) -> None:
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"unknown in an action: {key!r}")
        if type(value) not in known[key]:
            raise ConfigError(f"{key} cannot be {value!r}")
