"""Every dialect that is spoken over websockets: a new one is a line here."""

from __future__ import annotations

from streamasr.core.dialects import Entrance, deepgram, native, openai_realtime, vosk

ENTRANCES: tuple[Entrance, ...] = (
    native.ENTRANCE,
    vosk.ENTRANCE,
    deepgram.ENTRANCE,
    openai_realtime.ENTRANCE,
)
