"""What a dictation listens to: a microphone, or a recording at the speed of speech."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

from streamasr.edge.microphone import Heard, Item, Microphone
from streamasr.edge.portaudio import PortAudio
from streamasr.edge.sources import open_source, paced


class MicrophoneEar:
    """Microphones one after the other over one PortAudio."""

    def __init__(self, selector: str | None) -> None:
        self._selector = selector
        self._audio: PortAudio | None = None

    def __call__(self) -> OpenMicrophone:
        """A microphone to listen to; devices that came or went since the last are seen."""
        if self._audio is None:
            self._audio = PortAudio()
        else:
            self._audio.restart()
        return OpenMicrophone(Microphone(self._selector, audio=self._audio))


class OpenMicrophone:
    def __init__(self, microphone: Microphone) -> None:
        self._microphone = microphone

    @property
    def name(self) -> str:
        return self._microphone.device.name

    def __enter__(self) -> Self:
        self._microphone.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._microphone.close()

    def items(self) -> Iterator[Item]:
        return self._microphone.items()

    def stop(self) -> None:
        self._microphone.stop()


class Recording:
    """A file in place of a microphone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._stack = ExitStack()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        """Open the file; raises AudioFormatError or OSError."""
        self._source = self._stack.enter_context(open_source(self.name))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def items(self) -> Iterator[Item]:
        for samples in paced(self._source.blocks):
            yield Heard(samples)
            if self._stopping.is_set():
                return

    def stop(self) -> None:
        self._stopping.set()
