"""A file that tells by its first bytes what it is: WAV, Opus in Ogg, or what `MediaDoor` reads."""

from __future__ import annotations

import numpy as np

from streamasr.core import oggstream
from streamasr.core.audio import Samples
from streamasr.core.wavstream import WavDoor
from streamasr.edge.media import MediaDoor
from streamasr.edge.opus import OggOpusDoor
from streamasr.errors import AudioFormatError, MissingExtra

HEAD_BYTES, OGG_HEAD_BYTES = 8, 36
"""After so many bytes a file has said what it is, and one of Ogg what is in it."""
MEDIA = {b"\x1aE\xdf\xa3": "WebM", b"fLaC": "FLAC", b"ID3": "MP3"}

_NOTHING = np.zeros(0, np.float32)


class ContainerDoor:
    """Bytes of a file, cut anyhow, to float32 [n], 16 kHz mono."""

    def __init__(self) -> None:
        self._door: WavDoor | OggOpusDoor | MediaDoor | None = None  # set by the first bytes
        self._held = b""

    def accept(self, data: bytes) -> Samples:
        """Take any number of bytes; raises AudioFormatError when this is no audio we can read."""
        if self._door is not None:
            return self._door.accept(data)
        self._held += data
        is_ogg = self._held.startswith(oggstream.MAGIC)
        if len(self._held) < (OGG_HEAD_BYTES if is_ogg else HEAD_BYTES):
            return _NOTHING
        return self._open()

    def flush(self) -> Samples:
        """Give the audio that a resampler holds back; audio may go on."""
        return self._door.flush() if self._door is not None else _NOTHING

    def finish(self) -> Samples:
        """End the audio; nothing at all is legal."""
        samples = self._open() if self._held else _NOTHING
        return np.concatenate([samples, self._door.finish()]) if self._door else samples

    def _open(self) -> Samples:
        data, self._held = self._held, b""
        self._door = _door(data)
        return self._door.accept(data)


def _door(head: bytes) -> WavDoor | OggOpusDoor | MediaDoor:
    is_ogg = head.startswith(oggstream.MAGIC)
    if is_ogg and b"OpusHead" in head[:OGG_HEAD_BYTES]:
        return OggOpusDoor()
    named = next((name for magic, name in MEDIA.items() if head.startswith(magic)), "")
    if not named and head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        named = "MP3 or AAC"
    if not named and head[4:8] == b"ftyp":
        named = "MP4"
    if not named and not is_ogg:
        return WavDoor()
    try:
        return MediaDoor()
    except MissingExtra:
        raise AudioFormatError(
            f"{named or 'Ogg without Opus'} cannot be decoded here",
            remedy="send WAV or Opus in Ogg, or install streamasr[media] on the server",
        ) from None
