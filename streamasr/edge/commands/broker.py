"""A lasting connection to an MQTT broker: it comes back by itself, and waits longer each time.

    async with asyncio.TaskGroup() as tasks:
        broker = Broker(settings, ["TurnOn"])
        tasks.create_task(broker.run())
        await broker.publish("home/lamp/set", "on", retain=True)

While connected ``BASE/status`` says ``online``, retained; the broker itself says ``offline``
when we are gone. Home Assistant's MQTT discovery finds an event entity, which fires for each
intent, and a sensor that holds the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamasr.edge.commands.actions import ActionError, Order
from streamasr.errors import ConfigError

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LEAVE_S = 2.0
KEYS: Mapping[str, type] = {
    "host": str, "port": int, "username": str, "password": str, "password_file": str,
    "tls": bool, "ca_file": str, "id": str, "base": str, "discovery": bool,
    "discovery_prefix": str,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The table ``mqtt`` of the file of sentences."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password: str = ""
    tls: bool = False
    ca_file: str = ""
    id: str = "streamasr"
    """Of this listener, where there are several."""
    base: str = ""
    """Of its topics; ``streamasr/ID`` if it is empty."""
    discovery: bool = True
    discovery_prefix: str = "homeassistant"

    @property
    def topics(self) -> str:
        return self.base or f"streamasr/{self.id}"

    @classmethod
    def read(cls, table: Mapping[str, Any], folder: Path) -> BrokerSettings:
        """Check a table; files are found from ``folder``. Raises ConfigError."""
        for key, value in table.items():
            if key not in KEYS:
                raise ConfigError(f"mqtt: unknown: {key!r}", remedy=", ".join(KEYS))
            if type(value) is not KEYS[key]:
                raise ConfigError(f"mqtt: {key} cannot be {value!r}")
        given = dict(table)
        if "password_file" in given:
            given["password"] = read_secret(folder / given.pop("password_file"))
        if not given.get("id", "streamasr").replace("-", "").replace("_", "").isalnum():
            raise ConfigError("mqtt: id has letters, digits, - and _ only")
        return cls(**given)


def read_secret(file: Path) -> str:
    """The first line of a file; raises ConfigError naming it."""
    try:
        return file.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError):
        raise ConfigError(f"{file} holds no secret", remedy="one line of text") from None


class Broker:
    """The connection; `run` keeps it up until it is cancelled."""

    def __init__(
        self,
        settings: BrokerSettings,
        intents: Sequence[str] = (),
        *,
        first_wait_s: float = FIRST_WAIT_S,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self.settings = settings
        self.intents = sorted(intents)
        self._first_wait_s = first_wait_s
        self._tell = tell
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Stay connected; tell of what goes wrong, once for each outage."""
        import aiomqtt

        wait_s, was_told = self._first_wait_s, False
        while True:
            try:
                async with self._open() as client:
                    await self._greet(client)
                    self._client = client
                    self._connected.set()
                    if was_told:
                        self._tell("connected to the MQTT broker again")
                    wait_s, was_told = self._first_wait_s, False
                    try:
                        async for _ in client.messages:  # none are asked for: ends with the line
                            pass
                    except asyncio.CancelledError:
                        await self._leave(client)
                        raise
            except aiomqtt.MqttError as error:
                if not was_told:
                    at = f"{self.settings.host}:{self.settings.port}"
                    self._tell(f"no connection to the MQTT broker {at}: {error}; trying again")
                was_told = True
            finally:
                self._connected.clear()
                self._client = None
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def publish(
        self, topic: str, payload: str, *, retain: bool = False, qos: int = 0
    ) -> None:
        """Publish, when there is a connection; the caller limits the time."""
        import aiomqtt

        await self._connected.wait()
        client = self._client
        assert client is not None, "connected means that there is a client"
        try:
            await client.publish(topic, payload, qos=qos, retain=retain)
        except aiomqtt.MqttError as error:
            raise ActionError(f"the broker did not take it: {error}") from None

    async def tell_intent(self, order: Order) -> None:
        """Fire the event entity, and keep the order in the sensor."""
        base = self.settings.topics
        event = {"event_type": order.intent, **order.table()}
        await self.publish(f"{base}/event", json.dumps(event), qos=1)
        await self.publish(f"{base}/last", json.dumps(order.table()), retain=True, qos=1)

    def _open(self) -> aiomqtt.Client:
        import aiomqtt

        settings = self.settings
        tls = aiomqtt.TLSParameters(ca_certs=settings.ca_file or None) if settings.tls else None
        return aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username or None,
            password=settings.password or None,
            identifier=f"streamasr-{settings.id}",
            will=aiomqtt.Will(f"{settings.topics}/status", "offline", qos=1, retain=True),
            tls_params=tls,
            timeout=10,
        )

    async def _greet(self, client: aiomqtt.Client) -> None:
        if self.settings.discovery:
            for topic, config in self._entities():
                await client.publish(topic, json.dumps(config), qos=1, retain=True)
        await client.publish(f"{self.settings.topics}/status", "online", qos=1, retain=True)

    async def _leave(self, client: aiomqtt.Client) -> None:
        """Say ``offline``: the broker says it only for those who vanish."""
        import aiomqtt

        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                status = f"{self.settings.topics}/status"
                await client.publish(status, "offline", qos=1, retain=True)

    def _entities(self) -> list[tuple[str, dict[str, Any]]]:
        settings = self.settings
        base, prefix = settings.topics, settings.discovery_prefix
        common = {
            "availability_topic": f"{base}/status",
            "device": {"identifiers": [f"streamasr_{settings.id}"], "name": settings.id},
        }
        event = common | {
            "name": "Voice command", "unique_id": f"streamasr_{settings.id}_command",
            "state_topic": f"{base}/event", "event_types": self.intents,
        }  # fmt: skip
        last = common | {
            "name": "Last voice command", "unique_id": f"streamasr_{settings.id}_last",
            "state_topic": f"{base}/last", "value_template": "{{ value_json.intent }}",
            "json_attributes_topic": f"{base}/last",
        }  # fmt: skip
        node = f"streamasr_{settings.id}"
        return [
            (f"{prefix}/event/{node}/command/config", event),
            (f"{prefix}/sensor/{node}/last/config", last),
        ]
