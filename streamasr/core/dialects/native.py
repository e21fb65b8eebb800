"""Our own protocol as a dialect: see core.protocol and docs/PROTOCOL.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from streamasr.core import messages
from streamasr.core.dialects import (
    MAX_TEXT_BYTES,
    NOTHING,
    Action,
    Entrance,
    Flush,
    Hangup,
    Hear,
    Listen,
    Marked,
    Reply,
    Stop,
    Told,
    opus_packet,
)
from streamasr.core.messages import ERRORS, REASONS, Closed, Error
from streamasr.core.protocol import Dialogue, encode


class Native:
    """One session of the native protocol."""

    name: ClassVar[str] = "native"
    text_bytes: ClassVar[int] = MAX_TEXT_BYTES
    streams = 1

    def __init__(self) -> None:
        self._dialogue = Dialogue()
        self._is_packets = False  # each message of audio is a packet

    def greet(self) -> Sequence[Action]:
        return NOTHING

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        if isinstance(frame, bytes):
            if not self._dialogue.receive_audio():
                return NOTHING
            return (Hear(opus_packet(frame) if self._is_packets else frame),)
        match self._dialogue.receive_text(frame):
            case messages.Start() as start:
                self._is_packets = start.encoding == messages.OPUS
                return (Listen(start),)
            case messages.Flush(id=key):
                return (Flush(key),)
            case messages.Stop():
                return (Stop(),)
            case None:
                return NOTHING

    def tell(self, message: Told, channel: int = 0) -> Iterable[Reply]:
        if isinstance(message, Marked):
            return
        yield encode(message)
        if isinstance(message, Error):
            yield Hangup(ERRORS[message.code][0], message.code)
        elif isinstance(message, Closed):
            yield Hangup(REASONS[message.reason][0], message.reason)


ENTRANCE = Entrance("/v1/stream", lambda request: Native())
