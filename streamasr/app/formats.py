"""Transcripts as text, JSON, SubRip (srt) and WebVTT (vtt).

A writer is told of each final as it comes, so that a transcript of any length leaves
the program while it is made; only ``json`` (one object a file) keeps its segments.

    writer = writer_for(Format.SRT, sys.stdout)
    writer.begin("talk.flac")
    writer.segment(final)
    writer.end(samples=160_000, compute_s=0.2)
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, TextIO

from streamasr.core.cues import Cues, SrtCues, VttCues
from streamasr.core.events import Final
from streamasr.core.features import SAMPLE_RATE


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"

    @property
    def suffix(self) -> str:
        """The usual ending of a file in this format."""
        return ".txt" if self is Format.TEXT else f".{self.value}"


def seconds(samples: int) -> float:
    """Samples at 16 kHz in seconds, to the millisecond."""
    return round(samples / SAMPLE_RATE, 3)


def segment_facts(final: Final) -> dict[str, Any]:
    """A final as the ``segments`` of the JSON format hold it."""
    return {
        "start_s": seconds(final.start),
        "end_s": seconds(final.end),
        "text": final.text,
        "confidence": round(final.confidence, 4),
        "words": [
            {
                "word": word.text,
                "start_s": seconds(word.start),
                "end_s": seconds(word.end),
                "confidence": round(word.confidence, 4),
            }
            for word in final.words
        ],
    }


class Writer(ABC):
    """Takes the finals of one file after the other."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, file: str, *, titled: bool = False) -> None:  # noqa: B027
        """Start a file; ``titled`` where several follow each other in one text."""

    @abstractmethod
    def segment(self, final: Final) -> None:
        """Take the next final of the file."""

    def end(self, *, samples: int, compute_s: float) -> None:  # noqa: B027
        """Close the file: its length at 16 kHz and the seconds of work it took."""

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class TextWriter(Writer):
    """One utterance a line."""

    def begin(self, file: str, *, titled: bool = False) -> None:
        if titled:
            self._write(f"==> {file} <==\n")

    def segment(self, final: Final) -> None:
        self._write(f"{final.text}\n")


class JsonWriter(Writer):
    """One object a line a file, written when the file is complete."""

    def begin(self, file: str, *, titled: bool = False) -> None:
        self._file = file
        self._segments: list[dict[str, Any]] = []

    def segment(self, final: Final) -> None:
        self._segments.append(segment_facts(final))

    def end(self, *, samples: int, compute_s: float) -> None:
        duration_s = seconds(samples)
        record = {
            "file": self._file,
            "duration_s": duration_s,
            "text": " ".join(segment["text"] for segment in self._segments),
            "segments": self._segments,
            "rtf": round(compute_s / duration_s, 5) if duration_s else 0.0,
        }
        self._write(json.dumps(record, ensure_ascii=False) + "\n")


class CueWriter(Writer):
    """Subtitles, numbered from one in each file."""

    cues: type[Cues]

    def begin(self, file: str, *, titled: bool = False) -> None:
        self._cues = self.cues()
        if self._cues.head:
            self._write(self._cues.head)

    def segment(self, final: Final) -> None:
        self._write(self._cues.add(final))


class SrtWriter(CueWriter):
    cues = SrtCues


class VttWriter(CueWriter):
    cues = VttCues


WRITERS: dict[Format, type[Writer]] = {
    Format.TEXT: TextWriter,
    Format.JSON: JsonWriter,
    Format.SRT: SrtWriter,
    Format.VTT: VttWriter,
}


def writer_for(form: Format, out: TextIO) -> Writer:
    """The writer of a format, on a text stream."""
    return WRITERS[form](out)
