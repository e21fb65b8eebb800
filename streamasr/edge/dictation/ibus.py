"""An engine of IBus: an input method, with the few things that dictation says to one.

    engine = Engine.connect(address)             # raises MissingExtra, DeviceError
    engine.take()                                # become the input method
    engine.show("two see"); engine.commit("two cities")
    engine.give_back()

An engine gets every key first; ours lets them all pass.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from streamasr.edge.dictation import ibusbus as bus
from streamasr.edge.dictation.ibusbus import ANSWER_S, BUS, BUS_NAME, Body
from streamasr.errors import DeviceError, MissingExtra

NAME = "streamasr-dictation"
INTERFACE = "org.freedesktop.IBus.Engine"
SURROUNDING = 32
"""The program lets us take away what stands before the cursor."""
FAKE, FIRST = "fake", "/InputContext_1"
"""What IBus gives the focus to where no text field has it; the first that it makes."""
FACTS = {"FocusId": ("b", True), "ActiveSurroundingText": ("b", False)}
"""Of an engine: it wants to know who has the focus."""
KEEP_OPEN = 1
"""What is open when the focus goes is committed, not lost."""
RELEASED, SHIFT = 1 << 30, 1
MODIFIERS = (*range(0xFFE1, 0xFFEF), 0xFE03)
KEYS_S = 0.1
"""Programs queue keys, but not text: for so long nothing may follow."""
OURS_S = 0.5
"""A program says that the cursor moved after keys of ours, too: for so long that means nothing."""
BACKSPACE, RETURN = (0xFF08, 14), (0xFF0D, 28)


class Engine:
    """An input method that IBus may give the keys to; see `connect`."""

    def __init__(self, connection: Any, address: str) -> None:
        """``connection`` is one of jeepney's for threads, to the address; it is closed here."""
        import jeepney

        self._jeepney, self._connection, self._address = jeepney, connection, address
        self._turn = threading.Condition()
        self._answers: dict[int, Any] = {}
        self._engines = 0
        self._path = ""  # of the engine object that has the focus
        self._is_sure = False  # that a text field has it
        self._capabilities: dict[str, int] = {}
        self._before = ""  # the input method that ours took the place of
        self._is_closed = False
        self._pressed_s = -math.inf
        self.left: Callable[[], None] = lambda: None
        """Called when the cursor or the focus went elsewhere: what was open is committed."""
        self.keyed: Callable[[], None] = lambda: None
        """Called before a key of the person's is done. Both are called in the engine's thread."""
        threading.Thread(target=self._serve, name="ibus engine", daemon=True).start()

    @classmethod
    def connect(cls, address: str) -> Engine:
        """Connect and register; raises MissingExtra without jeepney, DeviceError."""
        try:
            from jeepney.io.threading import open_dbus_connection
        except ModuleNotFoundError as missing:
            raise MissingExtra("jeepney", "mic") from missing
        with bus.refused(address):
            engine = cls(open_dbus_connection(address), address)
        engine._ask(BUS_NAME, "RegisterComponent", "v", (bus.component(NAME),))
        return engine

    def take(self, timeout_s: float = 1.0) -> bool:
        """Become the input method; whether a text field has the focus then."""
        if not self._path:
            current = bus.engine_in_use(self._ask)
            if current != NAME:
                self._before = current
                bus.use(self._ask, NAME)
            with self._turn:
                self._turn.wait_for(lambda: bool(self._path), timeout_s)
        return bool(self._path) and (self._is_sure or self._is_field())

    def give_back(self) -> None:
        """Let the input method be what it was, unless somebody chose another meanwhile."""
        if self._before and bus.engine_in_use(self._ask) == NAME:
            bus.use(self._ask, self._before)
        self._before = ""

    def close(self) -> None:
        """Leave IBus, with the input method that was in use; IBus may be gone."""
        current = bus.engine_in_use(self._ask)
        stays = self._before if current == NAME else current
        self._is_closed = True
        self._connection.close()
        if stays:
            with suppress(DeviceError):
                bus.use_when_ours_is_gone(self._address, stays)

    # What a text field is told

    def show(self, text: str) -> None:
        """Show open text, underlined, with the cursor behind it."""
        value = bus.text_value(text, is_open=True)
        self._emit("UpdatePreeditText", "vubu", (value, len(text), bool(text), KEEP_OPEN))

    def commit(self, text: str) -> None:
        self._emit("CommitText", "v", (bus.text_value(text, is_open=False),))

    def erase(self, count: int) -> None:
        """Take characters away before the cursor: at once where the program can, else by keys."""
        if self._capabilities.get(self._path, 0) & SURROUNDING:
            self._emit("DeleteSurroundingText", "iu", (-count, count))
        else:
            self._press([BACKSPACE] * count)

    def press_return(self, *, shift: bool) -> None:
        self._press([RETURN], SHIFT if shift else 0)

    def _press(self, keys: Sequence[tuple[int, int]], state: int = 0) -> None:
        for key in keys:
            for more in (0, RELEASED):
                self._emit("ForwardKeyEvent", "uuu", (*key, state | more))
        self._pressed_s = time.monotonic()
        time.sleep(KEYS_S)

    # Messages

    def _emit(self, name: str, signature: str, body: Body) -> None:
        if path := self._path:
            emitter = self._jeepney.DBusAddress(path, interface=INTERFACE)
            self._send(self._jeepney.new_signal(emitter, name, signature, body))

    def _send(self, message: Any, serial: int | None = None) -> None:
        try:
            self._connection.send(message, serial=serial)
        except OSError as error:
            raise DeviceError(f"IBus has gone: {error}") from error

    def _is_field(self) -> bool:
        """Whether what has the focus is more than the fake."""
        names = (BUS_NAME, "CurrentInputContext")
        try:
            ((_, context),) = self._ask(bus.PROPERTIES, "Get", "ss", names)
        except DeviceError:
            return False
        return not context.endswith(FIRST)

    def _ask(self, interface: str, name: str, signature: str, body: Body) -> Body:
        """See `ibusbus.Ask`."""
        serial = next(self._connection.outgoing_serial)
        self._send(bus.call(interface, name, signature, body), serial)
        with self._turn:
            self._turn.wait_for(lambda: serial in self._answers or self._is_closed, ANSWER_S)
            answer = self._answers.pop(serial, None)
        if answer is None:
            raise DeviceError(f"IBus does not answer to {name}")
        return bus.answered(name, answer)

    # The engine's thread

    def _serve(self) -> None:
        from jeepney.io.threading import ReceiveStopped

        fields = self._jeepney.HeaderFields
        try:
            while True:
                message = self._connection.receive()
                if message.header.message_type is self._jeepney.MessageType.method_call:
                    self._answer(message)
                elif fields.reply_serial in message.header.fields:
                    with self._turn:
                        self._answers[message.header.fields[fields.reply_serial]] = message
                        self._turn.notify_all()
        except (OSError, DeviceError, ReceiveStopped):
            with self._turn:
                self._is_closed, self._path = True, ""
                self._turn.notify_all()

    def _answer(self, message: Any) -> None:
        fields = self._jeepney.HeaderFields
        path, member = (message.header.fields[name] for name in (fields.path, fields.member))
        signature, body = self._obey(member, path, message.body)
        self._send(self._jeepney.new_method_return(message, signature, body))

    def _obey(self, member: str, path: str, body: Body) -> tuple[str | None, Body]:
        """Do what IBus asks of a factory or an engine; signature and values of the answer."""
        match member:
            case "CreateEngine":
                self._engines += 1
                return "o", (f"{BUS}/Engine/{self._engines}",)
            case "ProcessKeyEvent":
                if not (body[2] & RELEASED or body[0] in MODIFIERS):
                    self.keyed()
                return "b", (False,)
            case "SetCapabilities":
                self._capabilities = {path: body[0]}
            case "FocusInId":
                self._have("" if body[1] == FAKE else path, is_sure=True)
            case "FocusIn":  # IBus does not say of whom, or not yet
                self._have(path, is_sure=False)
            case "Reset" if time.monotonic() - self._pressed_s > OURS_S:
                self.left()
            case "FocusOut" | "FocusOutId" | "Disable" | "Destroy":
                self.left()
                if path == self._path:
                    self._have("", is_sure=True)
            case "Get":
                return "v", (FACTS.get(body[1], ("b", False)),)
            case "GetAll":
                return "a{sv}", (FACTS,)
        return None, ()

    def _have(self, path: str, *, is_sure: bool) -> None:
        with self._turn:
            self._path, self._is_sure = path, is_sure
            self._turn.notify_all()
