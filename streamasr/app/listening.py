"""A microphone through the recogniser onto a display.

with Microphone() as microphone, stop_on_signals(microphone.stop):
    Listener(engine, display).run(microphone.items())
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

from streamasr.app.levels import LevelWatch
from streamasr.app.live import Display
from streamasr.core.events import Event, Final, Partial
from streamasr.core.options import StreamOptions
from streamasr.core.protocol import encode
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) end things in order; the second ends them now."""

    def first(number: int, frame: Any) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop()

    before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Listener:
    """Shows what a microphone's items turn into."""

    def __init__(
        self,
        engine: Engine,
        display: Display,
        *,
        json: bool = False,
        partial_lines: bool = False,
        options: StreamOptions | None = None,
    ) -> None:
        """With ``json`` every event is a line, partials only with ``partial_lines``."""
        self._engine = engine
        self._display = display
        self._json = json
        self._options = options or StreamOptions()
        self._partial_lines = json and partial_lines
        self._levels = LevelWatch()

    def run(self, items: Iterable[Item]) -> None:
        """Listen until the items end, then finish the open utterance."""
        partials = self._display.live or self._partial_lines
        options = replace(self._options, partials=partials)
        with Recognizer(self._engine).stream(options) as stream:
            for item in items:
                match item:
                    case Heard(samples):
                        for note in self._levels.accept(samples):
                            self._display.note(note)
                        self._show(stream.accept(samples))
                    case Lost(samples):
                        self._show(stream.gap(samples))
                    case Stalled(device):
                        # Whatever comes next is not the rest of this sentence.
                        self._show(stream.flush())
                        self._display.note(f"{device} gives no audio; waiting for it to return")
                    case Resumed(device):
                        self._display.note(f"listening again, to {device}")
                    case _:
                        assert_never(item)
            self._show(stream.finish())
        self._display.close()

    def _show(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Partial):
                self._display.partial(event.text)
            if isinstance(event, Final) and not self._json:
                self._display.line(event.written or event.text)
            elif self._json and (self._partial_lines or not isinstance(event, Partial)):
                self._display.line(encode(event))
