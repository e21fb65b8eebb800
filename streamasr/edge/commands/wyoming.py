"""Commands as a Wyoming service: speech to text, intents, and the wake phrase.

    async with serve_commands(service, "127.0.0.1", 10400) as port: ...

Home Assistant's pipeline asks for one thing after the other, each over a connection of its
own: ``detect`` and audio until the wake phrase; ``transcribe`` and audio until its end, whose
transcript is the sentence that was understood, or empty; ``recognize`` with that text, whose
intent Home Assistant carries out. The engine belongs to one thread; a connection that is
ahead of it is not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from streamasr.core.audio import AudioDoor
from streamasr.core.dialects.wyoming import ENCODINGS, Event, EventReader, write
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.messages import WireError
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine
from streamasr.edge.commands.actions import Order
from streamasr.edge.commands.listener import (
    CommandListener,
    Heard,
    Listening,
    Understood,
    Woke,
)
from streamasr.edge.connections import Connections
from streamasr.errors import StreamasrError

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
SENT = StreamOptions(endpoint_ms=2000, trailing_blank_ms=2000, max_utterance_s=15.0)
"""Who sends the audio decides where it ends; a pause does not."""
FORM = ("rate", "width", "channels")


@dataclass(slots=True)
class CommandService:
    """What all connections share."""

    engine: Engine
    listening: Listening
    """May be replaced at any time; open connections follow."""
    on_intent: Callable[[Order], None] = lambda order: None
    """Told of what ``recognize`` found."""
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "commands"), repr=False
    )

    async def run(self, work: Callable[[], list[Heard]]) -> list[Heard]:
        """Do the engine's work in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@asynccontextmanager
async def serve_commands(service: CommandService, host: str, port: int) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port. Raises StreamasrError where it is taken."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _Conversation(service, writer).run(reader)

    connections = Connections(converse)
    try:
        server = await asyncio.start_server(connections, host, port)
    except OSError as error:
        raise StreamasrError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            remedy="choose another --wyoming",
        ) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.end()


class _Conversation:
    """One connection."""

    def __init__(self, service: CommandService, writer: asyncio.StreamWriter) -> None:
        self._service = service
        self._writer = writer
        self._is_waking = False  # detect came last, not transcribe
        self._listener: CommandListener | None = None
        self._listening = service.listening  # of the listener
        self._door: AudioDoor | None = None
        self._text = ""
        self._has_woken = False

    async def run(self, reader: asyncio.StreamReader) -> None:
        events = EventReader()
        try:
            while data := await reader.read(READ_BYTES):
                for event in events.feed(data):
                    for answer in await self._handle(event):
                        self._writer.write(write(answer))
                    await self._writer.drain()
        except (WireError, StreamasrError) as error:
            self._writer.write(write(Event("error", {"text": str(error), "code": error.code})))
            await self._writer.drain()
        finally:
            self._close()

    async def _handle(self, event: Event) -> list[Event]:
        match event.type:
            case "describe":
                return [self._info()]
            case "ping":
                text = event.data.get("text")
                return [Event("pong", {"text": text} if text is not None else {})]
            case "detect":
                if not self._service.listening.phrase:
                    return [_complain("unsupported", "there is no wake phrase")]
                self._is_waking = True
                return []
            case "transcribe":
                self._is_waking = False
                return []
            case "audio-start":
                return self._open(event.data)
            case "audio-chunk":
                return await self._hear(event)
            case "audio-stop":
                return await self._end()
            case "recognize":
                return self._recognise(event.data)
            case kind:
                return [_complain("unsupported", f"{kind[:60]!r} is not a service of this server")]

    def _open(self, data: Mapping[str, Any]) -> list[Event]:
        self._close()
        rate, width, channels = (data.get(name) for name in FORM)
        numbers = all(type(value) is int for value in (rate, width, channels))
        if not numbers or width not in ENCODINGS:
            return [_complain("audio-format", "audio needs a rate, a width of 2 to 4 and channels")]
        service = self._service
        try:
            self._door = AudioDoor(ENCODINGS[width], rate, channels)  # type: ignore[arg-type]
            self._listening = listening = service.listening
            self._listener = CommandListener(
                service.engine,
                listening.grammar,
                threshold=listening.threshold,
                spotter=listening.new_spotter() if self._is_waking else None,
                options=SENT,
            )
        except StreamasrError as error:
            self._close()
            return [_complain(error.code, str(error))]
        self._text, self._has_woken = "", False
        return []

    async def _hear(self, event: Event) -> list[Event]:
        if self._listener is None:  # some clients do not say audio-start
            complaints = self._open(event.data)
            if complaints:
                return complaints
        listener, door = self._listener, self._door
        assert listener is not None
        assert door is not None

        def hear() -> list[Heard]:
            self._follow(listener)
            return listener.accept(door.accept(event.payload))

        return list(self._take(await self._service.run(hear)))

    def _follow(self, listener: CommandListener) -> None:
        """Listen for what the service listens for now."""
        if self._listening is not (now := self._service.listening):
            self._listening = now
            spotter = now.new_spotter() if self._is_waking else None
            listener.change(now.grammar, threshold=now.threshold, spotter=spotter)

    async def _end(self) -> list[Event]:
        listener, door = self._listener, self._door
        answers: list[Event] = []
        if listener is not None and door is not None:

            def finish() -> list[Heard]:
                return listener.accept(door.finish()) + listener.finish()

            answers += self._take(await self._service.run(finish))
        self._close()
        if not self._is_waking:
            answers.append(Event("transcript", {"text": self._text, "language": "en"}))
        elif not self._has_woken:
            answers.append(Event("not-detected"))
        self._text = ""
        return answers

    def _take(self, told: list[Heard]) -> Iterator[Event]:
        for heard in told:
            if isinstance(heard, Understood) and not self._is_waking:
                self._text = self._text or heard.text
            elif isinstance(heard, Woke) and not self._has_woken:
                self._has_woken = True
                at_ms = round(1000 * heard.at / SAMPLE_RATE)
                yield Event(
                    "detection", {"name": _name(self._listening.phrase), "timestamp": at_ms}
                )

    def _recognise(self, data: Mapping[str, Any]) -> list[Event]:
        text = " ".join(str(data.get("text", "")).lower().replace(".", "").split())
        found = self._service.listening.grammar.understand(text)
        if found is None:
            return [Event("not-recognized", {"text": None})]
        self._service.on_intent(Order(found.name, found.slots, text, 1.0))
        entities = [{"name": name, "value": value} for name, value in found.slots.items()]
        return [Event("intent", {"name": found.name, "entities": entities})]

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener = self._door = None

    def _info(self) -> Event:
        maker = {"name": "streamasr", "url": ""}
        common = {"attribution": maker, "installed": True, "version": "1"}
        model = {**common, "name": "commands", "description": "Voice commands", "languages": ["en"]}
        program = {
            **common, "name": "streamasr commands", "description": "Voice commands",
            "models": [model],
        }  # fmt: skip
        asr = program | {
            "supports_transcript_streaming": False, "requires_external_vad": True,
            "prefers_auto_gain_enabled": False, "prefers_noise_reduction_enabled": False,
        }  # fmt: skip
        info: dict[str, Any] = {"asr": [asr], "intent": [program]}
        if phrase := self._service.listening.phrase:
            wake = model | {"name": _name(phrase), "description": phrase, "phrase": phrase}
            info["wake"] = [program | {"models": [wake]}]
        return Event("info", info)


def _name(phrase: str) -> str:
    return "_".join(phrase.lower().split())


def _complain(code: str, text: str) -> Event:
    return Event("error", {"text": text, "code": code})
