"""The voice gate: which audio is worth decoding, and where speech begins and ends.

    closed --(OPEN_FRAMES of the last OPEN_WINDOW frames are speech)--> open
    open   --(endpoint_ms without speech, or flush)-------------------> closed

Opening hands out the pre-roll first, so the onset that woke the gate is not lost;
closing hands out the silence that was waited for. Between the two, audio passes as soon
as its 20 ms frame is complete. A gate cuts by frames counted from its first sample, so
how the audio was cut into blocks changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from streamasr.core.features import SAMPLE_RATE

Samples = NDArray[np.float32]

MS = SAMPLE_RATE // 1000
VAD_FRAME = 20 * MS
OPEN_FRAMES = 3
OPEN_WINDOW = 5
LONGEST_FILL = SAMPLE_RATE
"""Lost audio up to this long counts as silence; more of it closes the gate."""


class FrameVad(Protocol):
    """Judges frames one after another; may remember what it heard."""

    def is_speech(self, frame: Samples) -> bool:
        """Judge float32 [VAD_FRAME] in -1..1, 20 ms at 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


class WebRtcVad:
    """The detector of WebRTC, freed from its dependence on the recording level.

    The detector itself (Gaussian mixtures over six bands) has absolute thresholds: at
    its strictest it is the only mode that lets go of the room's noise after speech, and
    it misses every speaker who is 30 dB down. So two slow trackers follow the noise
    floor and the speech peak, quiet audio is raised to the level that the detector was
    made for, and a frame must also stand out from the floor. All levels are in dB
    relative to full scale, and depend on the past alone.
    """

    QUIETEST = -72.0  # never speech below this: digital silence, dither
    MARGIN = 6.0  # above the noise floor
    SPEECH_PEAK = -22.0  # where the detector wants speech; never lowered, only raised
    MOST_GAIN = 40.0
    LEAST_SNR = 30.0  # of peak over floor, as long as no speech was heard
    FLOOR_RANGE = (-80.0, -45.0)  # the first frame alone cannot say that it is all noise
    FLOOR_RISE = 0.1  # a frame; falling takes no time
    PEAK_RISE = 2.0  # a frame, so that a click is not taken for a voice
    PEAK_FALL = 0.02  # a frame, 1 dB a second

    def __init__(self, mode: int = 3) -> None:
        """``mode`` 0 lets most pass, 3 least."""
        self._mode = mode
        self._raised = np.empty(VAD_FRAME, np.float32)  # scratch
        self.reset()

    def reset(self) -> None:
        self._vad = webrtcvad.Vad(self._mode)
        self._floor: float | None = None  # None before the first frame
        self._peak = 0.0

    def is_speech(self, frame: Samples) -> bool:
        level = 10.0 * math.log10(float(frame.dot(frame)) / VAD_FRAME + 1e-12)
        floor = self._follow(level)
        gain = min(self.SPEECH_PEAK - self._peak, self.MOST_GAIN)
        raised = self._raised
        if gain > 0.0:
            np.multiply(frame, 10.0 ** (gain / 20.0), out=raised)
            np.maximum(raised, -1.0, out=raised)
            np.minimum(raised, 1.0, out=raised)
            frame = raised
        np.multiply(frame, 32767.0, out=raised)
        heard = self._vad.is_speech(raised.astype(np.int16).tobytes(), SAMPLE_RATE)
        return bool(heard) and level >= max(floor + self.MARGIN, self.QUIETEST)

    def _follow(self, level: float) -> float:
        """Move floor and peak towards the level of a frame; return the floor."""
        lowest, highest = self.FLOOR_RANGE
        if self._floor is None:
            self._floor = min(level, highest)
            self._peak = self._floor + self.LEAST_SNR
        self._floor = max(min(level, self._floor + self.FLOOR_RISE), lowest)
        if level > self._peak:
            self._peak = min(level, self._peak + self.PEAK_RISE)
        else:
            self._peak -= self.PEAK_FALL
        self._peak = max(self._peak, self._floor + self.LEAST_SNR)
        return self._floor


@dataclass(frozen=True, slots=True)
class Opened:
    """Speech began; its audio follows."""

    at: int
    """The first frame of speech, not the pre-roll."""


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Audio to decode, in order and without holes between Opened and Closed."""

    at: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class Paused:
    """Speech may be over; its audio goes on to be given."""

    at: int
    """The end of the last frame of speech."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Speech is over; all of its audio was given."""

    at: int
    """The end of the last frame of speech, not where the gate closed."""


GateItem = Opened | Speech | Paused | Closed


class Gate(Protocol):
    """What `Stream` asks of a gate; positions count from its first sample."""

    def process(self, samples: Samples) -> list[GateItem]:
        """Take audio: float32 [n] in -1..1, any n."""
        ...

    def flush(self) -> list[GateItem]:
        """Close now if open, giving all audio taken."""
        ...

    def skip(self, samples: int) -> list[GateItem]:
        """Jump over lost audio, as over silence or, if it is long, by closing."""
        ...

    def reset(self) -> None:
        """Close without a word and forget what is held; positions go on."""
        ...


class VadGate:
    """A gate that a detector opens and closes."""

    def __init__(
        self, vad: FrameVad, *, endpoint_ms: int = 400, most_ms: int = 0, preroll_ms: int = 300
    ) -> None:
        """With ``most_ms`` of silence it closes, if that is more than ``endpoint_ms``; then after
        those it only says so."""
        self._vad = vad
        self._pause = endpoint_ms * MS
        self._hangover = max(endpoint_ms, most_ms) * MS
        self._preroll = preroll_ms * MS
        self._held = np.zeros(0, np.float32)  # taken, not given: pre-roll, part of a frame
        self._given = 0  # position of the first sample held
        self._judged = 0  # position up to which frames were judged
        self._recent = 0  # the last OPEN_WINDOW judgements while closed, newest in bit 0
        self._is_open = False
        self._last_speech = 0  # while open: the end of the last frame judged as speech
        self._is_paused = False

    def process(self, samples: Samples) -> list[GateItem]:
        held = np.concatenate([self._held, samples])
        base = self._given
        items: list[GateItem] = []
        while self._judged - base + VAD_FRAME <= len(held):
            speech = self._vad.is_speech(held[self._judged - base :][:VAD_FRAME])
            self._judged += VAD_FRAME
            if not self._is_open:
                if self._opens(speech):
                    onset = self._judged - self._recent.bit_length() * VAD_FRAME
                    self._given = max(self._given, onset - self._preroll)
                    items.append(Opened(onset))
            elif speech:
                self._last_speech = self._judged
                self._is_paused = False
            elif self._judged - self._last_speech >= self._hangover:
                items += self._pass(held, base)
                items.append(self._close())
            elif self._judged - self._last_speech >= self._pause and not self._is_paused:
                self._is_paused = True
                items += self._pass(held, base)
                items.append(Paused(self._last_speech))
        if self._is_open:
            items += self._pass(held, base)
        else:
            self._given = max(self._given, self._judged - self._preroll - OPEN_WINDOW * VAD_FRAME)
        self._held = held[self._given - base :].copy()
        return items

    def flush(self) -> list[GateItem]:
        if not self._is_open:
            return []
        is_speaking = self._last_speech == self._judged
        self._judged = self._given + len(self._held)
        if is_speaking:
            self._last_speech = self._judged
        items = self._pass(self._held, self._given)
        items.append(self._close())
        self._held = self._held[:0]
        return items

    def skip(self, samples: int) -> list[GateItem]:
        if samples <= LONGEST_FILL:
            return self.process(np.zeros(samples, np.float32))
        items = self.flush()
        self._forget(samples)
        return items

    def reset(self) -> None:
        self._is_open = False
        self._forget()
        self._vad.reset()

    def _opens(self, speech: bool) -> bool:
        """Count a judgement while closed; says whether it opens the gate."""
        self._recent = (self._recent << 1 | speech) & (1 << OPEN_WINDOW) - 1
        self._is_open = self._recent.bit_count() >= OPEN_FRAMES
        self._is_paused = False
        self._last_speech = self._judged
        return self._is_open

    def _pass(self, held: Samples, base: int) -> list[GateItem]:
        """Give the audio judged and not given yet; ``held[0]`` lies at ``base``."""
        at, self._given = self._given, self._judged
        return [Speech(at, held[at - base : self._judged - base])] if at < self._judged else []

    def _close(self) -> Closed:
        self._is_open = False
        self._recent = 0
        return Closed(self._last_speech)

    def _forget(self, jump: int = 0) -> None:
        """Drop what is held and go on ``jump`` samples further."""
        self._given += len(self._held) + jump
        self._judged = self._given
        self._held = self._held[:0]
        self._recent = 0


class OpenGate:
    """No gate: everything is speech until flushed."""

    def __init__(self) -> None:
        self._position = 0
        self._is_open = False

    def process(self, samples: Samples) -> list[GateItem]:
        if not len(samples):
            return []
        at = self._position
        self._position += len(samples)
        items: list[GateItem] = [Speech(at, samples.copy())]
        if not self._is_open:
            items.insert(0, Opened(at))
        self._is_open = True
        return items

    def flush(self) -> list[GateItem]:
        was_open, self._is_open = self._is_open, False
        return [Closed(self._position)] if was_open else []

    def skip(self, samples: int) -> list[GateItem]:
        if self._is_open and samples <= LONGEST_FILL:
            return self.process(np.zeros(samples, np.float32))
        items = self.flush()
        self._position += samples
        return items

    def reset(self) -> None:
        self._is_open = False
