"""When each word of a known text was said: forced alignment by pocketsphinx."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pocketsphinx import Decoder

from streamasr.app.text import normalise


@dataclass(frozen=True, slots=True)
class TimedWord:
    text: str
    start_s: float
    end_s: float


def align(samples: np.ndarray, text: str) -> list[TimedWord]:
    """Align float samples at 16 kHz with their text; empty where the aligner gives up."""
    decoder = Decoder(samprate=16000, loglevel="FATAL", lm=None)
    words = normalise(text)
    try:
        decoder.set_align_text(words)
        decoder.start_utt()
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
    except RuntimeError:  # a word that its dictionary lacks
        return []
    found = [
        TimedWord(s.word.partition("(")[0], s.start_frame / 100, (s.end_frame + 1) / 100)
        for s in decoder.seg() or ()
        if not s.word.startswith("<")
    ]
    return found if [w.text for w in found] == words.split() else []
