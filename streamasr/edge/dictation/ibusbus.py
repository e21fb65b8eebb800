"""Where IBus listens, which input method it has in use, and what its values look like.

address = find_address(os.environ)
with asking(address) as ask:
    engine_in_use(ask)                  # "xkb:de::ger"
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamasr.errors import DeviceError, MissingExtra

BUS_NAME, BUS = "org.freedesktop.IBus", "/org/freedesktop/IBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
ANSWER_S = 5.0
GONE_S, GONE_TRIES = 0.5, 10
"""What IBus gets to see that an engine has gone."""
DESCRIPTION = "(sa{sv}ssssssssussssssss)"
"""Of an engine: names, language, licence, layout, rank, and what else IBus knows of one."""
MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
UNDERLINE, SINGLE = 1, 1

Body = tuple[Any, ...]
Value = tuple[str, Any]
"""A variant: its signature, and a tuple for a struct, which begins with its kind."""
Ask = Callable[[str, str, str, Body], Body]
"""Calls a method: interface, name, signature and values; raises DeviceError."""


def find_address(environ: Mapping[str, str]) -> str:
    """Where the IBus of this session listens; empty where none runs."""
    if address := environ.get("IBUS_ADDRESS"):
        return address
    base = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~"), ".config"))
    for file in (base.expanduser() / "ibus" / "bus" / name for name in _file_names(environ)):
        if file.is_file():
            for line in file.read_text().splitlines():
                key, _, value = line.partition("=")
                if key == "IBUS_ADDRESS":
                    return value
    return ""


def _file_names(environ: Mapping[str, str]) -> Iterator[str]:
    """How IBus calls the file that holds its address: by machine and display."""
    ids = [Path(path).read_text().strip() for path in MACHINE_IDS if Path(path).is_file()]
    host, _, number = environ.get("DISPLAY", "").rpartition(":")
    for one in dict.fromkeys(ids):
        if environ.get("WAYLAND_DISPLAY"):
            yield f"{one}-unix-{environ['WAYLAND_DISPLAY']}"
        if number:
            yield f"{one}-{host or 'unix'}-{number.partition('.')[0]}"


@contextmanager
def asking(address: str) -> Iterator[Ask]:
    """Ask without being an engine; raises MissingExtra without jeepney, DeviceError."""
    try:
        from jeepney.io.blocking import open_dbus_connection
    except ModuleNotFoundError as missing:
        raise MissingExtra("jeepney", "mic") from missing
    with refused(address):
        connection = open_dbus_connection(address)
    with connection:

        def ask(interface: str, name: str, signature: str, body: Body) -> Body:
            with refused(address):
                message = call(interface, name, signature, body)
                return answered(name, connection.send_and_get_reply(message, timeout=ANSWER_S))

        yield ask


@contextmanager
def refused(address: str) -> Iterator[None]:
    """Tell by DeviceError that nobody answers."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise DeviceError(
            f"IBus does not answer at {address}: {error}", remedy="start it: ibus-daemon -drx"
        ) from error


def call(interface: str, name: str, signature: str, body: Body) -> Any:
    """The message that calls a method of IBus."""
    from jeepney import DBusAddress, new_method_call

    return new_method_call(DBusAddress(BUS, BUS_NAME, interface), name, signature or None, body)


def answered(name: str, message: Any) -> Body:
    """The values of an answer; raises DeviceError with what IBus refuses."""
    from jeepney import MessageType

    body: Body = message.body
    if message.header.message_type is MessageType.error:
        raise DeviceError(f"IBus refuses {name}: {body[0] if body else ''}")
    return body


def engine_in_use(ask: Ask) -> str:
    """The name of the input method; empty for none."""
    try:
        ((_, (_, description)),) = ask(PROPERTIES, "Get", "ss", (BUS_NAME, "GlobalEngine"))
    except DeviceError:
        return ""
    return str(description[2])  # after its kind and its attachments


def use(ask: Ask, name: str) -> None:
    ask(BUS_NAME, "SetGlobalEngine", "s", (name,))


def use_when_ours_is_gone(address: str, name: str) -> None:
    """Choose an input method after our engine: it takes the choice with it, even of another."""
    with asking(address) as ask:
        for _ in range(GONE_TRIES):
            if not engine_in_use(ask):
                break
            time.sleep(GONE_S / GONE_TRIES)
        use(ask, name)


def text_value(text: str, *, is_open: bool) -> Value:
    """A text, underlined where it is open."""
    lines = [(UNDERLINE, SINGLE, 0, len(text))] if is_open and text else []
    attributes: list[Value] = [("(sa{sv}uuuu)", ("IBusAttribute", {}, *line)) for line in lines]
    listed: Value = ("(sa{sv}av)", ("IBusAttrList", {}, attributes))
    return "(sa{sv}sv)", ("IBusText", {}, text, listed)


def component(name: str) -> Value:
    """A program with one engine of that name, which leaves the keyboard layout alone."""
    engine: Body = (
        "IBusEngineDesc", {}, name, "Dictation", "Writes what is said", "other", "Apache-2.0",
        "", "", "default", 0, "", "", "", "", "", "", "", "",
    )  # fmt: skip
    return "(sa{sv}ssssssssavav)", (
        "IBusComponent", {}, f"{BUS_NAME}.StreamAsr", "Dictation", "", "Apache-2.0", "", "",
        "", "streamasr", [], [(DESCRIPTION, engine)],
    )  # fmt: skip
