"""A private PulseAudio whose default source is the monitor of a null sink."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

NEEDS_SOUND = pytest.mark.skipif(
    any(shutil.which(p) is None for p in ("pulseaudio", "pactl", "paplay"))
    or find_library("portaudio") is None,
    reason="needs pulseaudio, pulseaudio-utils, libportaudio2 and libasound2-plugins",
)
ASOUND_CONF = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"


class SoundServer:
    """A PulseAudio of our own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "pulse.socket"
        self.environ = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{self.socket}",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        (folder / "asound.conf").write_text(ASOUND_CONF)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--disable-shm"]
        command += ["--exit-idle-time=-1", "--log-target=stderr", "--log-level=error"]
        for module in (
            "module-null-sink sink_name=room rate=48000",
            f"module-native-protocol-unix socket={self.socket} auth-anonymous=1",
        ):
            command.append(f"--load={module}")
        self._process = subprocess.Popen(command, env=self._full, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while subprocess.run(
            ["pactl", "set-default-source", "room.monitor"], env=self._full, capture_output=True
        ).returncode:
            assert time.monotonic() < deadline, "pulseaudio did not start"
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait_for_recorder(self) -> None:
        """Return when somebody records."""
        command = ["pactl", "list", "short", "source-outputs"]
        deadline = time.monotonic() + 20
        while not subprocess.run(command, env=self._full, capture_output=True).stdout:
            assert time.monotonic() < deadline, "nobody records"
            time.sleep(0.05)

    def play(self, file: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["paplay", "--device=room", str(file)], env=self._full)

    @property
    def _full(self) -> dict[str, str]:
        return os.environ | self.environ


def sound_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """One that this process and its children use, for a fixture to give."""
    folder.chmod(0o700)
    server = SoundServer(folder)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    server.start()
    yield server
    server.kill()
