"""Every parser of what comes from outside, as a function of bytes.

For `test_fuzz`, and for scripts/fuzz, which lets coverage guide it.

Each returns, or raises StreamasrError; anything else is a fault that was found.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus

from streamasr.core.audio import AudioDoor
from streamasr.core.dialects import Entrance, Refused, Request
from streamasr.core.dialects.openai_files import read_options
from streamasr.core.dialects.wyoming import Wyoming
from streamasr.core.hotwords import HotWord
from streamasr.core.oggstream import OggPackets
from streamasr.core.protocol import decode_client, decode_server
from streamasr.core.units import Units
from streamasr.core.wavstream import WavDoor
from streamasr.edge import settings
from streamasr.edge.admission import Admission, Tokens
from streamasr.edge.entrances import ENTRANCES
from streamasr.edge.lane import Door
from streamasr.edge.listening import Given
from streamasr.edge.lm.arpa import read_arpa
from streamasr.edge.lm.lexicon import read_lexicon
from streamasr.edge.opus import OggOpusDoor
from streamasr.edge.service import client_of
from streamasr.edge.watchdog import watchdog_s

Parser = Callable[[bytes], object]
CUT = b"\xff\xfe"
"""Where one message ends and the next begins."""
TOKENS = Tokens([hashlib.sha256(b"secret").digest()])
GATES = [
    Admission(tokens=TOKENS, origins=["https://x.example"], is_local=flag) for flag in (False, True)
]


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def hear(make: Callable[[], Door], data: bytes) -> None:
    """Bytes at the door of a stream, in pieces."""
    door = make()
    for piece in data.split(CUT):
        door.accept(piece)
    door.flush()
    door.finish()


def packets(data: bytes) -> None:
    reader = OggPackets()
    for piece in data.split(CUT):
        reader.accept(piece)
    reader.finish()


def talk(entrance: Entrance, data: bytes) -> None:
    """A query, then text frames (after a T) and binary ones."""
    query, *frames = data.split(CUT)
    with suppress(Refused):
        dialect = entrance.open(Request(query=parse_qs(query.decode("latin-1"))))
        dialect.greet()
        for frame in frames:
            dialect.receive(text(frame[1:]) if frame.startswith(b"T") else frame)


def wyoming(data: bytes) -> None:
    dialect = Wyoming(Request())
    dialect.greet()
    for piece in data.split(CUT):
        dialect.receive(piece)


def upload(data: bytes) -> None:
    with suppress(Refused):
        read_options(parse_qs(text(data)), "en-small")


def file(read: Callable[[Path], object], data: bytes) -> None:
    """What is read from a file of the operator's."""
    with tempfile.NamedTemporaryFile(prefix="fuzz-") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(data)
        out.flush()
        read(Path(out.name))


def environment(data: bytes) -> None:
    lines = [line.partition("=") for line in text(data).splitlines()]
    environ = {name.upper(): value for name, _, value in lines}
    watchdog_s(environ)
    settings.load(environ={n: v for n, v in environ.items() if n != settings.CONFIG_VARIABLE})
    environ.pop("LISTEN_PID", None)  # a guess that is ours would take what we have open
    Given.take(environ)


def request(data: bytes) -> None:
    """Headers and a query, at the gate."""
    lines = [line.partition(":") for line in data.decode("latin-1").splitlines()]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    query = headers.pop("query", "")
    for gate in GATES:
        is_let_in = gate.refuse(headers, query) is None
        assert not is_let_in or "secret" in unquote_plus(f"{headers} {query}"), "let in"
    client_of(text(data))


PARSERS: Mapping[str, Parser] = {
    "native client": lambda data: decode_client(text(data)),
    "native server": lambda data: decode_server(text(data)),
    **{f"at {entrance.path}": partial(talk, entrance) for entrance in ENTRANCES},
    "wyoming": wyoming,
    "upload": upload,
    "wav": partial(hear, WavDoor),
    "ogg": packets,
    "ogg opus": partial(hear, OggOpusDoor),
    "pcm": partial(hear, partial(AudioDoor, "s24le", 44_100, 2)),
    "mulaw": partial(hear, partial(AudioDoor, "mulaw", 8_000)),
    "settings": partial(file, lambda path: settings.load(path=path)),
    "environment": environment,
    "tokens": partial(file, Tokens.from_file),
    "request": request,
    "hot word": lambda data: HotWord.parse(text(data)),
    "units": lambda data: Units.parse(text(data)),
    "arpa": partial(file, read_arpa),
    "lexicon": partial(file, read_lexicon),
}
SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "native client": (b'{"type": "start", "encoding": "s16le", "hotwords": ["a:3"]}',),
    "native server": (b'{"type": "partial", "utterance": 0, "text": "a", "start": 0, "end": 1}',),
    "at /": (CUT + b'T{"config": {"sample_rate": 8000, "phrase_list": ["a"]}}' + CUT + b"\0\0",),
    "at /v1/stream": (CUT + b'T{"type": "start"}' + CUT + b'T{"type": "flush", "id": 1}',),
    "at /v1/listen": (
        b"encoding=linear16&sample_rate=8000&channels=2" + CUT + b'T{"type": "Finalize"}',
    ),
    "at /v1/realtime": (
        b"intent=transcription" + CUT + b'T{"type": "session.update", "session": {}}',
    ),
    "wyoming": (b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, '
                b'"payload_length": 2}\n\0\0',),
    "upload": (b"model=whisper-1&response_format=srt&timestamp_granularities[]=word",),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0"
            b"data\4\0\0\0\0\0\0\0",),
    "ogg": (b"OggS\0\2" + bytes(20) + b"\1\4abcd",),
    "ogg opus": (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0",),
    "settings": (b"[server]\nport = 1\n[limits]\nidle_s = 2.5\n", b'[stream]\nhotwords = ["a"]\n'),
    "environment": (b"STREAMASR_LIMITS_IDLE_S=3\nWATCHDOG_USEC=1\nLISTEN_FDS=1\n",),
    "tokens": (b"# x\nplain\nsha256:" + b"0" * 64 + b"\n",),
    "request": (b"authorization: Bearer x\norigin: http://[::1\nquery: token=ek_1_a\nhost: a\n",),
    "hot word": (b"Ada Lovelace: 9",),
    "units": (b"<blank>\n\xe2\x96\x81a\n",),
    "arpa": (b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t</s>\n-99\t<s>\t-1\n-1\ta\t-1\n\n\\end\\\n",),
    "lexicon": (b"a\tAH0\n", b"# a comment\na(2) AH0 # another\n"),
}  # fmt: skip
