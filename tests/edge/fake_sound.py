"""A sounddevice module without a sound card: devices come, go, refuse and fall silent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    """What sounddevice raises."""


def device(
    name: str, *, channels: int = 1, rate: int = 48_000, rates: tuple[int, ...] = (16_000, 48_000)
) -> dict[str, Any]:
    """An input device; ``rates`` are those that it accepts."""
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": channels,
        "default_samplerate": float(rate),
        "rates": rates,
        "mono": True,
    }


class FakeStream:
    """A stream that the test plays into."""

    def __init__(self, module: FakeSoundDevice, settings: dict[str, Any]) -> None:
        self.module = module
        self.rate: int = settings["samplerate"]
        self.channels: int = settings["channels"]
        self.device: int = settings["device"]
        self.blocksize: int = settings["blocksize"]
        self._callback: Callable[..., None] = settings["callback"]
        self._finished: Callable[[], None] = settings["finished_callback"]
        self.closed = False

    def start(self) -> None:
        if self.module.busy:
            raise PortAudioError("Device unavailable")
        self.module.streams.append(self)
        self.module.opened.release()

    def play(self, frames: np.ndarray[Any, Any], *, overflow: bool = False) -> None:
        """Call back with float32 [n, channels], in a buffer that is reused, as PortAudio's is."""
        buffer = frames.astype(np.float32).copy()
        self._callback(buffer, len(buffer), None, SimpleNamespace(input_overflow=overflow))
        buffer[:] = np.nan

    def end(self) -> None:
        """End by itself, as after an unplugged device on some systems."""
        self._finished()

    def abort(self, *, ignore_errors: bool = True) -> None:
        self.module.closing.wait()

    def close(self, *, ignore_errors: bool = True) -> None:
        self.closed = True


class FakeSoundDevice:
    """Stands for the module ``sounddevice``."""

    PortAudioError = PortAudioError

    def __init__(self, *devices: dict[str, Any], default: int = 0) -> None:
        self.devices = list(devices)
        self.default = default
        self.streams: list[FakeStream] = []
        self.opened = threading.Semaphore(0)
        self.restarted = threading.Semaphore(0)
        self.closing = threading.Event()
        self.closing.set()  # cleared: closing a stream hangs
        self.busy = False
        self.restarts = 0
        self.broken = False
        self._seen = list(devices)

    def get_portaudio_version(self) -> tuple[int, str]:
        return 1, "PortAudio V0"

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self, kind: str | None = None) -> Any:
        if kind is None:
            return self._seen
        if not 0 <= self.default < len(self._seen):
            raise PortAudioError("no default")
        return {"index": self.default}

    def check_input_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        facts = self._seen[device]
        if samplerate not in facts["rates"]:
            raise PortAudioError("Invalid sample rate")
        if channels == 1 and not facts["mono"]:
            raise PortAudioError("Invalid number of channels")

    def InputStream(self, **settings: Any) -> FakeStream:
        return FakeStream(self, settings)

    def _terminate(self) -> None:
        pass

    def _initialize(self) -> None:
        self.restarts += 1
        self.restarted.release()
        if self.broken:
            raise PortAudioError("cannot start")
        self._seen = list(self.devices)

    def _exit_handler(self) -> None:
        pass
