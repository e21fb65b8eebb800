"""Subtitles: finals cut into pieces that can be read in their time, as SubRip or WebVTT.

cues = SrtCues()
out.write(cues.head + cues.add(final))
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from streamasr.core.events import Final, Word
from streamasr.core.features import SAMPLE_RATE

CUE_CHARS = 84
"""Subtitle guides agree on two lines of about 42 characters ..."""
CUE_LINE_CHARS = 42
CUE_SECONDS = 7.0
"""... that stay for at most seven seconds."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle; positions in samples."""

    start: int
    end: int
    text: str


def cues(final: Final) -> Iterator[Cue]:
    """Cut a final between words into subtitles that can be read in their time."""
    if not final.words:
        yield Cue(final.start, final.end, final.text)
        return
    group: list[Word] = []
    for word in final.words:
        length = sum(len(w.text) + 1 for w in group) + len(word.text)
        too_long = word.end - group[0].start > CUE_SECONDS * SAMPLE_RATE if group else False
        if group and (length > CUE_CHARS or too_long):
            yield _cue(group)
            group = []
        group.append(word)
    yield _cue(group)


def _cue(words: list[Word]) -> Cue:
    return Cue(words[0].start, words[-1].end, " ".join(word.text for word in words))


class Cues:
    """What SubRip and WebVTT share: numbered cues that never overlap."""

    decimal: ClassVar[str]
    head: ClassVar[str] = ""
    """What the file begins with."""

    def __init__(self) -> None:
        self._count = 0
        self._last_end = 0

    def add(self, final: Final) -> str:
        """The next cues as text."""
        text = ""
        for cue in cues(final):
            start = max(cue.start, self._last_end)
            end = max(cue.end, start + SAMPLE_RATE // 1000)
            self._last_end = end
            self._count += 1
            body = "\n".join(textwrap.wrap(self.escape(cue.text), CUE_LINE_CHARS))
            text += f"{self._count}\n{self.clock(start)} --> {self.clock(end)}\n{body}\n\n"
        return text

    def clock(self, samples: int) -> str:
        """Samples as hours:minutes:seconds with milliseconds."""
        whole, ms = divmod(round(samples * 1000 / SAMPLE_RATE), 1000)
        minutes, second = divmod(whole, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02d}:{minute:02d}:{second:02d}{self.decimal}{ms:03d}"

    def escape(self, text: str) -> str:
        return text


class SrtCues(Cues):
    decimal = ","


class VttCues(Cues):
    decimal = "."
    head = "WEBVTT\n\n"

    def escape(self, text: str) -> str:
        return html.escape(text, quote=False)
