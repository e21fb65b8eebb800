"""Audio that is already there: files, standard input, and pacing them like live audio.

    with open_source("talk.flac") as source:
        for block in source.blocks:
            use(block)                      # float32 [n], 16 kHz mono

Files are read by libsndfile and, where that cannot, by ffmpeg in a process of its own;
pipes must carry WAV, or raw audio whose format the caller declares. Everything is read
in blocks, so memory does not grow with the length. Where a source is shorter than it
promised, the blocks end with an error: what there was has been given by then.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from streamasr.core.audio import AudioDoor, Resampler, Samples
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.wavstream import UNTIL_THE_END, WavDoor
from streamasr.errors import AudioFormatError, UsageError

STDIN = "-"
BLOCK_S = 0.1
READ_BYTES = 64 * 1024
SHORT_BY_S = 0.5
"""Less audio than promised by this much is a truncated file; less is an encoder's padding."""


@dataclass(frozen=True, slots=True)
class RawFormat:
    """Audio without a header."""

    sample_rate: int
    encoding: str = "s16le"
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """An open source."""

    name: str
    duration_s: float | None
    """None where only the end will tell."""
    blocks: Iterator[Samples]
    """float32 [n] at 16 kHz; raises AudioFormatError where the audio is not what it claims."""


class _Door(Protocol):
    def accept(self, data: bytes) -> Samples: ...
    def finish(self) -> Samples: ...


UPLOADED = "aac,aiff,amr,asf,caf,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,wav"
"""Of ffmpeg's formats those that hold audio themselves; a playlist would name other files."""


def open_source(
    name: str,
    *,
    raw: RawFormat | None = None,
    stdin: BinaryIO | None = None,
    formats: str = "",
) -> AbstractContextManager[Source]:
    """Open a file, a named pipe, or standard input (``-``).

    With ``raw`` the bytes are taken as declared; ``formats`` limits what ffmpeg is to try.
    Raises OSError where the file cannot be
    opened and AudioFormatError where it is no audio.
    """
    if name == STDIN:
        return _open_stream(name, stdin or sys.stdin.buffer, raw)
    path = Path(name)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise AudioFormatError("this is a folder", remedy="name the files in it")
    if raw is not None or not stat.S_ISREG(mode):
        return _open_stream(name, path.open("rb"), raw)
    return _open_file(path, formats)


def paced(
    blocks: Iterator[Samples],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Samples]:
    """Hand each block on when its last sample would have been spoken."""
    start, given = clock(), 0
    for block in blocks:
        given += len(block)
        ahead_s = start + given / SAMPLE_RATE - clock()
        if ahead_s > 0:
            sleep(ahead_s)
        yield block


# Pipes


@contextmanager
def _open_stream(name: str, stream: BinaryIO, raw: RawFormat | None) -> Iterator[Source]:
    try:
        if stream.isatty():
            raise UsageError(
                "standard input is a terminal", remedy="pipe audio into it, or name a file"
            )
        if raw is None:
            blocks = _wav_through(stream)
        else:
            blocks = _through(AudioDoor(raw.encoding, raw.sample_rate, raw.channels), stream)
        yield Source(name, None, blocks)
    finally:
        if name != STDIN:
            stream.close()


def _through(door: _Door, stream: Any) -> Iterator[Samples]:
    # read1 gives what is there: audio from a live pipe must not wait for a full buffer.
    while data := stream.read1(READ_BYTES):
        yield door.accept(data)
    yield door.finish()


def _wav_through(stream: Any) -> Iterator[Samples]:
    begun = False
    try:
        for block in _through(WavDoor(), stream):
            begun = begun or len(block) > 0
            yield block
    except AudioFormatError as error:
        if begun:
            raise
        raise AudioFormatError(
            error.message, remedy="a pipe carries WAV, or raw audio that --rate declares"
        ) from None


# Files


@contextmanager
def _open_file(path: Path, formats: str) -> Iterator[Source]:
    import soundfile

    with path.open("rb", buffering=0) as file:  # libsndfile goes on from its descriptor
        if not os.fstat(file.fileno()).st_size:
            raise AudioFormatError("the file is empty", remedy="record or copy it again")
        missing = _missing_wav_bytes(file)
        file.seek(0)
        try:
            sound = soundfile.SoundFile(file.fileno(), closefd=False)
        except (soundfile.LibsndfileError, TypeError):
            sound = None  # a format that libsndfile does not know
        if sound is not None and sound.frames:
            with sound:
                duration_s = sound.frames / sound.samplerate
                yield Source(str(path), duration_s, _from_soundfile(sound, missing))
            return
    with _open_ffmpeg(path, formats) as source:
        yield source


def _from_soundfile(sound: Any, missing: int) -> Iterator[Samples]:
    import soundfile

    resampler = Resampler(sound.samplerate)
    size = max(1, int(sound.samplerate * BLOCK_S))
    read = 0
    while True:
        try:
            frames = sound.read(size, dtype="float32", always_2d=True)  # [n, channels]
        except soundfile.LibsndfileError as error:
            why = str(error).removeprefix("Error : ")
            raise _truncated(f"damaged after {read / sound.samplerate:.1f} s: {why}") from error
        if not len(frames):
            break
        read += len(frames)
        yield resampler.accept(np.ascontiguousarray(frames.mean(axis=1)))
    yield resampler.finish()
    short_s = (sound.frames - read) / sound.samplerate
    if missing:
        raise _truncated(f"truncated: its header promises {missing} bytes more")
    if short_s > SHORT_BY_S:
        raise _truncated(f"truncated: its header promises {short_s:.1f} s more")


def _truncated(fault: str) -> AudioFormatError:
    return AudioFormatError(
        fault, remedy="copy or record it again; what there was has been transcribed"
    )


def _missing_wav_bytes(file: RawIOBase) -> int:
    """Bytes of audio that a WAV header promises and the file does not hold; else 0.

    libsndfile quietly takes what is there.
    """
    if (file.read(12) or b"")[:4] != b"RIFF":
        return 0
    while len(head := file.read(8) or b"") == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            here = file.tell()
            held = file.seek(0, os.SEEK_END) - here
            return 0 if size in UNTIL_THE_END else max(0, size - held)
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0


# ffmpeg


@contextmanager
def _open_ffmpeg(path: Path, formats: str) -> Iterator[Source]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise AudioFormatError(
            "not audio that libsndfile reads",
            remedy="install ffmpeg to read any other; raw audio needs --rate",
        )
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file"]
    command += ["-format_whitelist", formats] if formats else []
    command += ["-i", f"file:{path}", "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        try:
            yield Source(str(path), None, _from_ffmpeg(process, complaints))
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _from_ffmpeg(process: subprocess.Popen[bytes], complaints: BinaryIO) -> Iterator[Samples]:
    door = WavDoor()
    given = 0
    try:
        for block in _through(door, process.stdout):
            given += len(block)
            yield block
    except AudioFormatError:
        if not process.wait():
            raise
    failed = process.wait() != 0
    complaints.seek(0)
    said = complaints.read(4096).decode(errors="replace").strip().splitlines()
    if not given:
        raise AudioFormatError("holds no audio that can be read", remedy=_advice(said))
    if failed or any("prematurely" in line or "partial file" in line for line in said):
        raise _truncated(f"damaged or truncated: {said[-1] if said else 'ffmpeg failed'}")


def _advice(said: list[str]) -> str:
    if any("matches no streams" in line for line in said):
        return "no audio track in it; raw audio needs --rate"
    return f"ffmpeg says: {said[-1]}" if said else "is it the right file?"
