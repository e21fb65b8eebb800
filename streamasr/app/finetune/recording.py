"""Sentences read aloud: shown one by one, recorded until the speaker pauses, and checked.

    reader = Reader(engine, shelf, prompts, display)
    with Microphone() as microphone:
        reader.run(microphone.items(), seconds=600.0)

    showing --speech, then a pause or Enter--> judged; a beginning waits for the rest
    judged  --sounds like the sentence--> kept, the next one is shown
            --does not--> shown again, three times at most

Nothing leaves this machine, and nothing is kept but sentences that fit what was to be read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TextIO

import numpy as np
from rapidfuzz import fuzz

from streamasr.app.finetune.gathering import minutes
from streamasr.app.finetune.prompts import Prompt
from streamasr.app.finetune.shelf import Shelf
from streamasr.app.levels import LevelWatch, peak
from streamasr.app.live import Display
from streamasr.app.text import normalise
from streamasr.core.audio import Samples
from streamasr.core.events import Event, Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled

PAUSE_MS = 1000
"""Silence that ends a sentence."""
LEAST_LIKE = 55.0
"""Likeness, 0 to 100, of what was heard to what was to be read. Where two words of three are
misheard, 95 of 100 sentences are above 60; of other sentences one in a hundred is above 51."""
LEAST_SHARE = 0.7
"""Of a sentence's letters: less is a part of it."""
PATIENCE = 3 * SAMPLE_RATE
"""Silence after the first part of a sentence before the rest is given up."""
TRIES = 3
BEFORE = round(0.3 * SAMPLE_RATE)
AFTER = round(0.4 * SAMPLE_RATE)
"""Silence kept at both ends, as the gate does."""
SILENCE = 2 * SAMPLE_RATE
"""The most that is remembered while nobody speaks."""
QUIET = 0.01
"""Speech whose peak is below this, -40 dB, is too far from the microphone."""
SKIP = "s"


def likeness(heard: str, prompt: str) -> float:
    """How alike two normalised texts are, letter by letter: 0 to 100."""
    return float(fuzz.ratio(heard, prompt))


def fits(heard: str, prompt: str) -> bool:
    """Whether what was heard may be the whole sentence, misheard here and there."""
    heard, prompt = normalise(heard), normalise(prompt)
    is_whole = len(heard) >= LEAST_SHARE * len(prompt)
    return is_whole and likeness(heard, prompt) >= LEAST_LIKE


def begins(heard: str, prompt: str) -> bool:
    """Whether what was heard may be the first part of the sentence."""
    heard, prompt = normalise(heard), normalise(prompt)
    is_short = len(heard) < LEAST_SHARE * len(prompt)
    return is_short and likeness(heard, prompt[: len(heard)]) >= LEAST_LIKE


class Keys:
    """Lines from a terminal, read by a thread of their own."""

    def __init__(self, source: TextIO) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read, args=(source,), name="keys", daemon=True).start()

    def _read(self, source: TextIO) -> None:
        for line in source:
            self._lines.put(line.strip().lower())

    def __call__(self) -> str | None:
        """The oldest line that was not taken yet; None where there is none."""
        try:
            return self._lines.get_nowait()
        except Empty:
            return None


class Take:
    """One attempt at a sentence: its audio, and what was recognised of it."""

    def __init__(self, engine: Engine, prompt: str) -> None:
        self._prompt = prompt
        self._stream = Recognizer(engine).stream(StreamOptions(endpoint_ms=PAUSE_MS))
        self._blocks: deque[Samples] = deque()
        self._forgotten = 0  # samples from before the blocks, in which nobody spoke
        self._start: int | None = None
        self._end = 0
        self._is_speaking = False
        self.text = ""
        self.is_over = False

    def accept(self, samples: Samples) -> list[Event]:
        """Take audio: float32 [n]."""
        self._blocks.append(samples)
        events = self._note(self._stream.accept(samples))
        while not self.has_speech and sum(map(len, self._blocks)) > SILENCE:
            self._forgotten += len(self._blocks.popleft())
        waited = self._stream.position - self._end
        if self.text and not self._is_speaking and waited > PATIENCE:
            self.is_over = True
        return events

    def finish(self) -> None:
        """The speaker says that this was all."""
        self._note(self._stream.flush())
        self.is_over = bool(self.text)

    def close(self) -> None:
        self._stream.close()

    @property
    def has_speech(self) -> bool:
        return self._start is not None

    @property
    def samples(self) -> Samples:
        """The speech with a little silence around it."""
        whole = np.concatenate([np.zeros(0, np.float32), *self._blocks])
        start = (self._start or 0) - BEFORE - self._forgotten
        return whole[max(0, start) : self._end + AFTER - self._forgotten]

    def _note(self, events: list[Event]) -> list[Event]:
        for event in events:
            match event:
                case SpeechStarted(at=at):
                    self._start = at if self._start is None else self._start
                    self._is_speaking = True
                case Final(text=text):
                    self.text = f"{self.text} {text}".strip()
                case SpeechEnded(at=at):
                    self._end = at
                    self._is_speaking = False
                    self.is_over = bool(self.text) and not begins(self.text, self._prompt)
                    if not self.text:  # a cough or a chair
                        self._start = None
        return events


class Reader:
    """Leads through the sentences that are not on the shelf yet."""

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf,
        prompts: Sequence[Prompt],
        display: Display,
        *,
        keys: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``keys`` gives lines that were typed: "" for Enter, "s" to skip a sentence."""
        self._engine = engine
        self._shelf = shelf
        self._left = [prompt for prompt in prompts if prompt.id not in shelf]
        self._display = display
        self._keys = keys
        self._levels = LevelWatch()
        self._tries = 0

    def run(self, items: Iterable[Item], *, seconds: float) -> bool:
        """Go on until so much speech is on the shelf, or there is no sentence left.

        False where ``items`` ended before.
        """
        self._wanted = seconds
        if self._is_done:
            return True
        take = self._show()
        for item in items:
            match item:
                case Heard(samples):
                    self._hear(take, samples)
                    self._obey(take)
                case Lost():
                    take = self._again(take, "some of it was not heard")
                case Stalled(device):
                    take = self._again(take, f"{device} gives no audio; waiting for it to return")
                case Resumed(device):
                    self._display.note(f"listening again, to {device}")
            if take.is_over:
                self._judge(take)
                take.close()
                if self._is_done:
                    break
                take = self._show()
        take.close()
        self._display.close()
        return self._is_done

    @property
    def _is_done(self) -> bool:
        return not self._left or self._shelf.seconds >= self._wanted

    def _show(self) -> Take:
        """Show the sentence that is to be read, and listen."""
        done = f"{minutes(self._shelf.seconds)} of {minutes(self._wanted)}"
        self._display.line(f"\n[{done}]  {self._left[0].text}")
        return Take(self._engine, self._left[0].text)

    def _again(self, take: Take, why: str) -> Take:
        self._display.note(why)
        take.close()
        return self._show()

    def _hear(self, take: Take, samples: Samples) -> None:
        for note in self._levels.accept(samples):
            self._display.note(note)
        for event in take.accept(samples):
            if isinstance(event, Partial):
                self._display.partial(event.text)

    def _obey(self, take: Take) -> None:
        key = self._keys()
        if key == SKIP:
            self._leave_out()
            take.text, take.is_over = "", True
        elif key == "" and take.has_speech:
            take.finish()

    def _leave_out(self) -> None:
        self._left.pop(0)
        self._tries = 0

    def _judge(self, take: Take) -> None:
        """Keep a sentence, or say why it is to be read again."""
        self._display.partial("")
        if not take.text:
            return
        prompt, samples = self._left[0], take.samples
        fault = ""
        if not fits(take.text, prompt.text):
            fault = f'that sounded like "{take.text}"'
        elif peak(samples) < QUIET:
            fault = "that was too quiet: come closer, or turn the microphone up"
        if not fault:
            self._shelf.add(prompt, samples)
            self._leave_out()
            return
        self._tries += 1
        if self._tries < TRIES:
            self._display.note(f"{fault}; please read it again ({SKIP} and Enter skips it)")
        else:
            self._display.note(f"{fault}; leaving this sentence out")
            self._leave_out()
