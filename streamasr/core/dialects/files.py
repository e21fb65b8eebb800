"""What dialects of files share: a file's audio comes in frames, like that of a stream."""

from __future__ import annotations

from collections.abc import Sequence

from streamasr.core.dialects import Action, Hear, Stop
from streamasr.core.messages import WireError

END = ""
"""The text frame that says that no more audio comes; any other says what is wrong with it."""
STATUSES = {"audio_format": 400, "bad_field": 400, "busy": 503}
"""Error code -> HTTP status; 500 for the rest."""


def take(frame: str | bytes) -> Sequence[Action]:
    """What a frame asks for: f32le audio at 16 kHz, or `END`; raises WireError."""
    if isinstance(frame, bytes):
        return [Hear(frame)]
    if frame == END:
        return [Stop()]
    raise WireError("audio_format", frame)
