"""A daemon as users run it, for the programs that others wrote, and something to say to it."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.wer import count_errors
from streamasr.core.audio import Resampler
from tests.conftest import CLIP_TEXTS, DATA
from tests.edge.daemon import Daemon, daemon

PORTS = r"(?=.*ready on ws://127\.0\.0\.1:(\d+))(?=.*tcp://127\.0\.0\.1:(\d+))"
COMPILING_S = 300
CLIP = "1970-28415-0030.flac"


@dataclass(frozen=True)
class Served:
    """A running daemon with the shipped model."""

    port: int
    wyoming: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits until the language model is compiled."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(COMPILING_S))


@pytest.fixture(scope="session")
def served(session_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all tests of dialects; it must drain without a complaint at the end."""
    log = tmp_path_factory.mktemp("served") / "log"
    command = [sys.executable, "-m", "streamasr", "serve", "--port", "0"]
    environ = {**os.environ, "STREAMASR_SERVER_WYOMING_PORT": "0"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, env=environ)
    try:
        while not (found := re.search(PORTS, log.read_text(), re.DOTALL)):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield Served(int(found[1]), int(found[2]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    complaints = [line for line in log.read_text().splitlines() if " ERROR " in line]
    assert not complaints


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that wants the token ``right``."""
    file = tmp_path / "tokens"
    file.write_text("right\n")
    file.chmod(0o600)
    async with daemon(server__token_file=str(file)) as running:
        yield running


@dataclass(frozen=True)
class Clip:
    """Real speech and what is said in it."""

    text: str
    samples: np.ndarray
    """float32 [n] at 16 kHz"""

    def pcm(self, rate: int = 16_000) -> bytes:
        """s16le at a rate that the resampler of the service must undo."""
        samples = self.samples
        if rate != 16_000:
            door = Resampler(int(16_000 * 16_000 / rate))
            samples = np.concatenate([door.accept(samples), door.finish()])
        return np.round(samples * 32767).clip(-32768, 32767).astype("<i2").tobytes()

    def wav(self) -> bytes:
        """A WAV file of 16 bits."""
        file = io.BytesIO()
        soundfile.write(file, self.samples, 16_000, format="WAV", subtype="PCM_16")
        return file.getvalue()

    def g711(self, law: str) -> bytes:
        """``ULAW`` or ``ALAW`` at 16 kHz, without a header."""
        file = io.BytesIO()
        soundfile.write(file, self.samples, 16_000, format="RAW", subtype=law)
        return file.getvalue()

    def ogg(self) -> bytes:
        """Opus in Ogg."""
        file = io.BytesIO()
        soundfile.write(file, self.samples, 16_000, format="OGG", subtype="OPUS")
        return file.getvalue()

    def media(self, container: str, codec: str) -> bytes:
        """Any file that FFmpeg's libraries write, as a stream that nobody can seek in."""
        import av

        file = io.BytesIO()
        rate = 48_000 if codec == "libopus" else 16_000
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate, layout="mono", bit_rate=96_000)
            kind = stream.codec_context.codec.audio_formats[0].name
            resampler = av.AudioResampler(format=kind, layout="mono", rate=rate)
            frame = av.AudioFrame.from_ndarray(self.samples[None], format="flt", layout="mono")
            frame.sample_rate = 16_000
            for piece in (frame, None):
                for part in resampler.resample(piece):
                    out.mux(stream.encode(part))
            out.mux(stream.encode(None))
        return file.getvalue()

    def check(self, heard: str) -> None:
        """At most two words of ten may differ."""
        errors = count_errors(self.text.split(), bare(heard))
        assert errors.rate <= 0.2, heard


def bare(text: str) -> list[str]:
    """The words of a text, in lower case and without marks."""
    return [word.strip(",.?") for word in text.lower().split()]


@pytest.fixture(scope="session")
def clip() -> Clip:
    samples, _ = soundfile.read(DATA / CLIP, dtype="float32")
    return Clip(CLIP_TEXTS[CLIP], samples)


def blocks(audio: bytes, size: int) -> list[bytes]:
    return [audio[start : start + size] for start in range(0, len(audio), size)]
