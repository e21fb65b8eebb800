"""Live speech to text: a private, offline streaming recogniser.

from streamasr import load_recognizer

recognizer = load_recognizer()
with recognizer.stream() as stream:
    for block in blocks:                 # float32, 16 kHz mono, any length
        for event in stream.accept(block):
            print(event)
    print(stream.finish())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamasr.core.events import Final, Gap, Partial, SpeechEnded, SpeechStarted, Word
    from streamasr.core.options import StreamOptions
    from streamasr.core.recognizer import Recognizer, RecognizerStream
    from streamasr.edge.engines import load_recognizer

__version__ = "0.1.0"

_HOMES = {
    "Final": "streamasr.core.events",
    "Gap": "streamasr.core.events",
    "Partial": "streamasr.core.events",
    "Recognizer": "streamasr.core.recognizer",
    "RecognizerStream": "streamasr.core.recognizer",
    "SpeechEnded": "streamasr.core.events",
    "SpeechStarted": "streamasr.core.events",
    "StreamOptions": "streamasr.core.options",
    "Word": "streamasr.core.events",
    "load_recognizer": "streamasr.edge.engines",
}

__all__ = [
    "Final",
    "Gap",
    "Partial",
    "Recognizer",
    "RecognizerStream",
    "SpeechEnded",
    "SpeechStarted",
    "StreamOptions",
    "Word",
    "__version__",
    "load_recognizer",
]


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that importing costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'streamasr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
