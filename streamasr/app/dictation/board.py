"""What a dictation shows of itself: status bars, the terminal, sounds. Never what was said,
but on the terminal of whoever runs it.

    board = Board(control.publish, display)
    board.show(state="listening")
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from streamasr.app.live import Display
from streamasr.core.audio import Samples
from streamasr.core.features import SAMPLE_RATE

BARS = " ▁▂▃▄▅▆▇█"
QUIET_DB, LOUD_DB = -60.0, -6.0
METER_S = 0.1
ICONS = {
    "idle": "○", "listening": "●", "speaking": "◉", "stalled": "!", "holding": "⏸", "waiting": "…",
}  # fmt: skip
MEANINGS = {
    "idle": "not listening",
    "listening": "listening",
    "speaking": "hearing speech",
    "stalled": "the microphone gives no audio",
    "holding": "the focus moved: text waits for its window",
    "waiting": "waiting for Shift, Ctrl, Alt, Super to be let go, or for a text field",
}


def level_db(samples: Samples) -> float:
    """The level of float32 [n] in decibels below full scale; -inf for silence."""
    power = float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


def bar(db: float) -> str:
    """One letter as high as a level.

    >>> bar(-33.0)
    '▄'
    """
    share = (min(max(db, QUIET_DB), LOUD_DB) - QUIET_DB) / (LOUD_DB - QUIET_DB)
    return BARS[round(share * (len(BARS) - 1))]


class Board:
    """Takes changes from several threads."""

    def __init__(
        self,
        publish: Callable[[dict[str, Any]], None],
        display: Display | None = None,
        *,
        play: Callable[[str], None] = lambda _: None,
        facts: dict[str, str] | None = None,
    ) -> None:
        """``facts`` stand in every status; ``play`` plays the sound of a name."""
        self._publish, self._display, self._play = publish, display, play
        self._facts: dict[str, Any] = {"microphone": "", **(facts or {})}
        self._state, self._hand = "idle", "resting"
        self._turn = threading.RLock()
        self._metered = 0
        self._peak_db = -math.inf
        self._text = ""
        self.show()

    @property
    def state(self) -> str:
        """What the dictation said last, without the hand."""
        return self._state

    @property
    def status(self) -> dict[str, Any]:
        """For programs, as a status bar such as Waybar takes it."""
        shown = self._hand if self._hand in ("holding", "waiting") else self._state
        return {
            "text": ICONS[shown],
            "alt": shown,
            "class": shown,
            "tooltip": f"dictation: {MEANINGS[shown]}",
            **self._facts,
        }

    def show(self, *, state: str | None = None, hand: str | None = None, **facts: str) -> None:
        """Tell followers what changed."""
        with self._turn:
            self._state = state or self._state
            self._hand = hand or self._hand
            self._facts |= facts
            self._publish(self.status)
            self._draw()

    def note(self, text: str) -> None:
        """Tell the person, and the status until the next note."""
        with self._turn:
            self._facts["note"] = text
            self._publish(self.status)
            if self._display is not None:
                self._display.note(text)

    def text(self, text: str) -> None:
        """The open utterance, for the terminal alone."""
        with self._turn:
            self._text = text
            self._draw()

    def level(self, samples: Samples) -> None:
        """Take audio for the meter."""
        if self._display is None or not self._display.live:
            return
        self._peak_db = max(self._peak_db, level_db(samples))
        self._metered += len(samples)
        if self._metered >= METER_S * SAMPLE_RATE:
            with self._turn:
                self._draw()
            self._metered, self._peak_db = 0, -math.inf

    def sound(self, name: str) -> None:
        self._play(name)

    def _draw(self) -> None:
        if self._display is None:
            return
        shown = self.status["alt"]
        meter = bar(self._peak_db) if shown in ("listening", "speaking") else " "
        self._display.partial(f"{ICONS[shown]} {meter} {self._text or MEANINGS[shown]}")
