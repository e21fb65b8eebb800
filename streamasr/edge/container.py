"""A file that tells by its first bytes what it is: WAV, or Opus in Ogg."""

from __future__ import annotations

import numpy as np

from streamasr.core.audio import Samples
from streamasr.core.oggstream import MAGIC
from streamasr.core.wavstream import WavDoor
from streamasr.edge.opus import OggOpusDoor

_NOTHING = np.zeros(0, np.float32)


class ContainerDoor:
    """Bytes of a file, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        self._door: WavDoor | OggOpusDoor | None = None  # set by the first four bytes
        self._held = b""

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError when this is neither."""
        if self._door is not None:
            return self._door.accept(data)
        self._held += data
        if len(self._held) < len(MAGIC) and MAGIC.startswith(self._held):
            return _NOTHING
        self._door = OggOpusDoor() if self._held.startswith(MAGIC) else WavDoor()
        data, self._held = self._held, b""
        return self._door.accept(data)

    def flush(self) -> Samples:
        """Give the audio that a resampler holds back; audio may go on."""
        return self._door.flush() if self._door is not None else _NOTHING

    def finish(self) -> Samples:
        """End the audio; nothing at all is legal."""
        return self._door.finish() if self._door is not None else _NOTHING
