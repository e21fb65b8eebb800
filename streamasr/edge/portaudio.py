"""PortAudio behind the few calls that we make of it.

PortAudio looks for devices once, when it starts; to see one that was plugged in, or a
sound server that came back, it must be started again, which ends every open stream.
It and the libraries below it write complaints straight to the error stream: those are
silenced while devices are looked for and opened.

    audio = PortAudio()
    for device in audio.inputs():
        print(device.name)
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE
from streamasr.errors import DeviceError, MissingExtra

BLOCK_S = 0.02
LATENCY_S = 0.06
"""Asked of the device; three blocks, which sound servers keep up without dropping."""


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that can record."""

    index: int
    name: str
    host: str
    """The sound system that offers it, such as ALSA."""
    channels: int
    sample_rate: int
    """Its own rate, in hertz."""
    default: bool


Receive = Callable[[NDArray[np.float32], int, bool], None]
"""Takes float32 [frames, channels], their rate, and whether audio before them was dropped."""


@dataclass(frozen=True, slots=True)
class OpenInput:
    """A device that records."""

    device: InputDevice
    stream: Any
    sample_rate: int

    def close(self) -> None:
        """Stop at once. Hangs for as long as a sound server does not answer."""
        self.stream.abort(ignore_errors=True)
        self.stream.close(ignore_errors=True)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence what C libraries write to the error stream."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def libraries_apart() -> Iterator[TextIO]:
    """Give us the error stream and silence the libraries for as long as we record.

    PortAudio's own thread writes what it thinks of a device that vanishes, into the
    middle of our line. Yields the stream to write to; does nothing where ours is not
    the process's, or where everything is to be logged.
    """
    ours = sys.stderr
    if not _is_descriptor_2(ours) or logging.getLogger().isEnabledFor(logging.DEBUG):
        yield ours
        return
    ours.flush()
    kept = os.dup(2)
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    with os.fdopen(os.dup(2), "w", encoding=ours.encoding, errors=ours.errors) as apart:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        for handler in handlers:
            if handler.stream is ours:
                handler.setStream(apart)
        sys.stderr = apart
        try:
            yield apart
        finally:
            sys.stderr = ours
            for handler in handlers:
                if handler.stream is apart:
                    handler.setStream(ours)
            os.dup2(kept, 2)
            os.close(kept)


def _is_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):
        return False


def load() -> Any:
    """The sounddevice module; raises MissingExtra, or DeviceError without PortAudio."""
    try:
        with quiet_libraries():
            import sounddevice
    except ModuleNotFoundError as error:
        raise MissingExtra("sounddevice", "mic") from error
    except OSError as error:
        raise DeviceError(
            "the PortAudio library is not installed", remedy="apt install libportaudio2"
        ) from error
    return sounddevice


class PortAudio:
    """One process's PortAudio; the module is a parameter for tests."""

    def __init__(self, module: Any = None) -> None:
        self._sd = load() if module is None else module

    @property
    def version(self) -> str:
        return str(self._sd.get_portaudio_version()[1])

    def restart(self) -> None:
        """Look for devices again; every open stream must have been closed.

        Raises DeviceError when PortAudio does not start.
        """
        with quiet_libraries():
            with suppress(self._sd.PortAudioError):  # it did not start the last time
                self._sd._terminate()
            try:
                self._sd._initialize()
            except self._sd.PortAudioError as error:
                raise DeviceError(f"PortAudio does not start: {error}") from error

    def abandon(self) -> None:
        """Skip PortAudio's own end at exit, which hangs when the sound server does."""
        atexit.unregister(self._sd._exit_handler)

    def inputs(self) -> list[InputDevice]:
        """Every device that can record, the system's default marked."""
        hosts = self._sd.query_hostapis()
        default = self._default_index()
        return [
            InputDevice(
                index=index,
                name=facts["name"],
                host=hosts[facts["hostapi"]]["name"],
                channels=facts["max_input_channels"],
                sample_rate=round(facts["default_samplerate"]),
                default=index == default,
            )
            for index, facts in enumerate(self._sd.query_devices())
            if facts["max_input_channels"] > 0
        ]

    def _default_index(self) -> int:
        try:
            return int(self._sd.query_devices(kind="input")["index"])
        except (self._sd.PortAudioError, ValueError):
            return -1

    def find(self, selector: str | None) -> InputDevice:
        """The device with that number or name, or the default; raises DeviceError.

        A part of the name is enough when only one device has it.
        """
        devices = self.inputs()
        if not devices:
            raise DeviceError(
                "no microphone found",
                remedy="plug one in, or see that the sound server runs; `streamasr devices` lists",
            )
        if selector is None:
            return next((d for d in devices if d.default), devices[0])
        if selector.isdecimal():
            found = [d for d in devices if d.index == int(selector)]
        else:
            wanted = selector.casefold()
            found = [d for d in devices if d.name.casefold() == wanted] or [
                d for d in devices if wanted in d.name.casefold()
            ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"{d.index}: {d.name}" for d in found)
            raise DeviceError(f"{selector!r} fits several devices", remedy=f"one of {names}")
        raise DeviceError(f"no input device {selector!r}", remedy="`streamasr devices` lists them")

    def open(
        self,
        device: InputDevice,
        receive: Receive,
        finished: Callable[[], None],
    ) -> OpenInput:
        """Record at 16 kHz where the device agrees, else at its own rate.

        Mono where it agrees, else its own channels. Both functions are called by the
        audio thread and must not wait. Raises DeviceError.
        """
        with quiet_libraries():
            try:
                rate, channels = self._agree(device)

                def callback(frames: Any, count: int, time: Any, status: Any) -> None:
                    receive(frames.copy(), rate, bool(status.input_overflow))

                stream = self._sd.InputStream(
                    device=device.index,
                    samplerate=rate,
                    channels=channels,
                    dtype="float32",
                    blocksize=round(rate * BLOCK_S),
                    latency=LATENCY_S,
                    callback=callback,
                    finished_callback=finished,
                )
                stream.start()
            except self._sd.PortAudioError as error:
                raise DeviceError(
                    f"cannot record from {device.name!r}: {error}",
                    remedy="another program may hold it; choose another with --input",
                ) from error
        return OpenInput(device, stream, rate)

    def _agree(self, device: InputDevice) -> tuple[int, int]:
        """A (rate, channels) that the device accepts, the best for us first."""
        own = device.sample_rate, device.channels
        wishes = [(SAMPLE_RATE, 1), (own[0], 1), (SAMPLE_RATE, own[1])]
        for rate, channels in wishes:
            try:
                self._sd.check_input_settings(
                    device=device.index, channels=channels, dtype="float32", samplerate=rate
                )
            except self._sd.PortAudioError:
                continue
            return rate, channels
        return own
