"""A microphone without a sound card: PortAudio records what is played into a sink."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.core.audio import Samples
from streamasr.edge.microphone import Heard, Lost, Microphone, Resumed, Stalled
from tests.sound import NEEDS_SOUND, SoundServer, sound_server

CLIP = Path(__file__).parent / "data" / "1970-28415-0030.flac"
RATE = 16_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    NEEDS_SOUND,
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    yield from sound_server(tmp_path, monkeypatch)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """The clip as WAV, which every paplay reads."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, *soundfile.read(CLIP))
    return path


def best_match(recorded: Samples, clip: Samples) -> float:
    """The correlation of the clip with the stretch of the recording most like it."""
    size = 1 << (len(recorded) + len(clip)).bit_length()
    product = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(clip, size))
    at = int(np.argmax(np.fft.irfft(product, size)[: len(recorded)]))
    stretch = recorded[at : at + len(clip)]
    return float(np.corrcoef(stretch, clip[: len(stretch)])[0, 1])


def play_then_stop(player: subprocess.Popen[bytes], microphone: Microphone) -> threading.Thread:
    """Stop the microphone when all that was played must have come through."""

    def work() -> None:
        player.wait()
        time.sleep(2.5)
        microphone.stop()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def restarted_audio() -> None:
    """PortAudio looks for devices once a process; an earlier test may have had others."""
    from streamasr.edge.portaudio import PortAudio

    PortAudio().restart()


def test_what_is_played_into_the_room_is_recorded(server: SoundServer, wav: Path) -> None:
    restarted_audio()
    heard: list[Samples] = []
    with Microphone() as microphone:
        for item in microphone.items():
            assert isinstance(item, Heard), f"nothing is lost, but {item}"
            if not heard:
                ender = play_then_stop(server.play(wav), microphone)
            heard.append(item.samples)
        ender.join()
    recorded = np.concatenate(heard)
    clip, _ = soundfile.read(CLIP, dtype="float32")
    assert best_match(recorded, clip) > 0.95


def test_a_sound_server_that_dies_and_returns_is_survived(server: SoundServer, wav: Path) -> None:
    restarted_audio()
    story: list[str] = []
    lost = 0
    again: list[Samples] = []
    with Microphone(retry_s=0.2) as microphone:
        for item in microphone.items():
            match item:
                case Heard() if not story:
                    story.append("heard")
                    server.kill()
                    died = time.monotonic()
                case Heard(samples) if "resumed" in story:
                    again.append(samples)
                    if len(again) == 1:
                        ender = play_then_stop(server.play(wav), microphone)
                case Stalled():
                    story.append("stalled")
                    server.start()
                case Resumed():
                    story.append("resumed")
                    away_s = time.monotonic() - died
                case Lost(samples):
                    lost += samples
        ender.join()
    assert story == ["heard", "stalled", "resumed"]
    assert 0 < lost / RATE <= away_s + 1.0
    clip, _ = soundfile.read(CLIP, dtype="float32")
    assert best_match(np.concatenate(again), clip) > 0.95


def test_mic_prints_what_is_said_and_ctrl_c_ends_it_well(
    server: SoundServer, wav: Path, tiny_bundle: Path
) -> None:
    """The verb itself, in a process of its own, interrupted in mid-utterance."""
    command = [sys.executable, "-m", "streamasr", "mic", "--model", str(tiny_bundle)]
    command += ["--format", "json", "--partials"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    assert process.stdout is not None
    player = None
    try:
        server.wait_for_recorder()
        player = server.play(wav)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if '"partial"' in line:
                process.send_signal(signal.SIGINT)
                break
        rest, complaints = process.communicate(timeout=20)
    finally:
        process.kill()
        if player is not None:
            player.kill()
            player.wait()
    lines += rest.splitlines(keepends=True)
    assert process.returncode == 0, complaints
    assert '"final"' in "".join(lines)
    assert '"speech_ended"' in lines[-1]
    assert "Traceback" not in complaints


def test_devices_lists_the_default(server: SoundServer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamasr", "devices"],
        capture_output=True,
        text=True,
        env=os.environ.copy(),
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("*") and "default" in line for line in done.stdout.splitlines())
    assert done.stderr == "", "what ALSA complains about is silenced"
