import io
import os
import shutil
import struct
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.core.audio import Samples
from streamasr.edge.sources import RawFormat, Source, open_source, paced
from streamasr.errors import AudioFormatError, UsageError
from tests.fakes import tone, voice

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


class Pipe(io.BytesIO):
    """Standard input that is no terminal."""


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def read(name: str | Path, **options: object) -> Samples:
    with open_source(str(name), **options) as source:  # type: ignore[arg-type]
        return drain(source)


def drain(source: Source) -> Samples:
    return np.concatenate(list(source.blocks))


def similarity(a: Samples, b: Samples) -> float:
    size = min(len(a), len(b))
    return float(np.corrcoef(a[:size], b[:size])[0, 1])


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """Two seconds of a tone, 16 kHz mono."""
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(2.0), 16_000)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au"])
def test_files_of_libsndfile_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, voice(2.0), 16_000)
    with open_source(str(path)) as source:
        assert source.duration_s == pytest.approx(2.0, abs=0.1)
        assert similarity(drain(source), voice(2.0)) > 0.95


def test_stereo_is_averaged_and_any_rate_is_resampled(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    t = np.arange(44_100) / 44_100
    left = np.sin(2 * np.pi * 300 * t)
    soundfile.write(path, np.column_stack([left, np.zeros_like(left)]), 44_100, subtype="FLOAT")
    samples = read(path)
    assert len(samples) == 16_000
    expected = 0.5 * np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=1e-3)


def test_a_long_file_comes_in_small_blocks(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(16_000 * 600, np.int16), 16_000)
    with open_source(str(path)) as source:
        sizes = [len(block) for block in source.blocks]
    assert sum(sizes) == 16_000 * 600
    assert max(sizes) <= 1600


def test_an_odd_name_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "-i http: %d 'x'.raw"
    soundfile.write(path, tone(0.5), 16_000, format="WAV")
    assert len(read(path)) == 8000


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_other_files_are_read_by_ffmpeg(tmp_path: Path, wav: Path, codec: str) -> None:
    path = tmp_path / "tone.mkv"
    command = ["ffmpeg", "-v", "error", "-i", str(wav), "-ac", "2", "-c:a", codec, str(path)]
    subprocess.run(command, check=True)
    samples = read(path)
    assert len(samples) == pytest.approx(32_000, rel=0.1)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.1, rel=0.1), (
        "ffmpeg spreads mono at -3 dB, and the mean keeps that"
    )


@needs_ffmpeg
@pytest.mark.parametrize("content", [b"hello there\n" * 50, b"RIFFjunk", bytes(range(256)) * 20])
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(AudioFormatError, match="holds no audio that can be read"):
        read(path)


def test_without_ffmpeg_the_remedy_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioFormatError, match="install ffmpeg"):
        read(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioFormatError, match="the file is empty"):
        read(tmp_path / "empty.wav")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match="this is a folder"):
        read(tmp_path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.wav")


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac"])
def test_a_truncated_file_gives_what_there_was_and_then_an_error(
    tmp_path: Path, suffix: str
) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    rng = np.random.default_rng(1)
    soundfile.write(whole, rng.normal(0, 0.1, 64_000), 16_000)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    heard: list[Samples] = []
    with (
        open_source(str(cut)) as source,
        pytest.raises(AudioFormatError, match=r"truncated|damaged"),
    ):
        heard.extend(source.blocks)
    assert 20_000 < sum(len(block) for block in heard) < 40_000


@needs_ffmpeg
def test_a_truncated_file_of_ffmpeg_is_an_error(tmp_path: Path, wav: Path) -> None:
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(wav), str(whole)], check=True)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(AudioFormatError, match="truncated"):
        read(cut)


def test_a_wav_of_unknown_length_is_no_truncated_one(wav: Path) -> None:
    data = bytearray(wav.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    wav.write_bytes(data)
    assert len(read(wav)) == 32_000


def test_standard_input_is_wav(wav: Path) -> None:
    samples = read("-", stdin=Pipe(wav.read_bytes()))
    assert similarity(samples, tone(2.0)) > 0.999


def test_standard_input_that_is_no_wav_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="WAV"):
        read("-", stdin=Pipe(b"ID3 some mp3 file"))


def test_raw_audio_is_read_as_declared() -> None:
    stereo = np.repeat((tone(1.0) * 32767).astype("<i2"), 2).tobytes()
    samples = read("-", stdin=Pipe(stereo), raw=RawFormat(16_000, "s16le", 2))
    np.testing.assert_allclose(samples, tone(1.0), atol=1e-4)


def test_a_raw_file_is_read_as_declared(tmp_path: Path) -> None:
    path = tmp_path / "audio.pcm"
    path.write_bytes(tone(1.0).tobytes())
    np.testing.assert_array_equal(read(path, raw=RawFormat(16_000, "f32le")), tone(1.0))


def test_raw_audio_with_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="leftover byte"):
        read("-", stdin=Pipe(bytes(1001)), raw=RawFormat(16_000))


def test_a_terminal_is_no_audio() -> None:
    with pytest.raises(UsageError, match="terminal"):
        read("-", stdin=Terminal())


def test_a_live_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    heard = threading.Event()

    def speak() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(tone(0.1).tobytes())
            assert heard.wait(timeout=10), "the first block came before the pipe was full"
            pipe.write(tone(0.1).tobytes())

    speaker = threading.Thread(target=speak)
    speaker.start()
    with open_source(str(path), raw=RawFormat(16_000, "f32le")) as source:
        assert len(next(source.blocks)) == 1600
        heard.set()
        assert sum(len(block) for block in source.blocks) == 1600
    speaker.join()


def test_pacing_hands_blocks_on_when_they_would_have_been_spoken() -> None:
    now = 100.0
    given = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    for block in paced(iter([tone(0.5), tone(0.25)]), clock=lambda: now, sleep=sleep):
        given.append((round(now, 3), len(block)))
    assert given == [(100.5, 8000), (100.75, 4000)]


def test_pacing_does_not_wait_when_it_is_late() -> None:
    times = iter([0.0, 3.0])
    slept: list[float] = []
    blocks = paced(iter([tone(1.0)]), clock=times.__next__, sleep=slept.append)
    assert len(list(blocks)) == 1
    assert slept == []
