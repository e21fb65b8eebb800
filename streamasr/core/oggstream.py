"""Ogg that arrives in pieces: pages to packets (RFC 3533).

    packets = OggPackets()
    for block in blocks:
        use(packets.accept(block))

A page is 27 bytes of header, a table of up to 255 segment lengths, and the segments; a packet
ends with a segment shorter than 255. Checksums are not looked at: what carried the bytes
here has its own. Only one page and one packet are ever held.
"""

from __future__ import annotations

from streamasr.errors import AudioFormatError

MAGIC = b"OggS"
HEAD_BYTES = 27
MOST_PACKET_BYTES = 1024 * 1024
"""A packet of sound has 1275 bytes at most; one of tags may hold a picture."""


class OggPackets:
    """Bytes of an Ogg file, cut anyhow, to the packets of its first stream."""

    def __init__(self) -> None:
        self._held = b""
        self._serial: bytes | None = None  # set by the first page
        self._packet = bytearray()  # begun, not complete

    def accept(self, data: bytes) -> list[bytes]:
        """Take any number of bytes; raises AudioFormatError when this is no Ogg."""
        self._held += data
        packets: list[bytes] = []
        while (page := self._next_page()) is not None:
            packets += self._cut(*page)
        return packets

    def finish(self) -> None:
        """Raises AudioFormatError when the audio stopped inside a page."""
        if self._held:
            raise AudioFormatError("the Ogg file ends inside a page", remedy="send all of it")

    def _next_page(self) -> tuple[bytes, bytes] | None:
        """The segment table and the body of the next page of our stream."""
        while True:
            held = self._held
            if not MAGIC.startswith(held[:4]):
                raise AudioFormatError(
                    f"the audio begins with {held[:8]!r}, a page of Ogg with {MAGIC!r}",
                    remedy="declare the encoding that it really is",
                )
            if len(held) < HEAD_BYTES or len(held) < HEAD_BYTES + held[26]:
                return None
            table = held[HEAD_BYTES : HEAD_BYTES + held[26]]
            start = HEAD_BYTES + len(table)
            end = start + sum(table)
            if len(held) < end:
                return None
            serial, self._held = held[14:18], held[end:]
            self._serial = self._serial or serial
            if serial == self._serial:
                return table, held[start:end]

    def _cut(self, table: bytes, body: bytes) -> list[bytes]:
        packets: list[bytes] = []
        at = 0
        for length in table:
            self._packet += body[at : at + length]
            at += length
            if length < 255:
                packets.append(bytes(self._packet))
                self._packet.clear()
            elif len(self._packet) > MOST_PACKET_BYTES:
                raise AudioFormatError(f"a packet is longer than {MOST_PACKET_BYTES} bytes")
        return packets
