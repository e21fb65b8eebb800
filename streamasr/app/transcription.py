"""Sources through the recogniser into a writer, with progress for who is watching.

job = Job(engine, Format.SRT, display)
good = job.run(["talk.flac", "-"])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from streamasr.app.formats import Format, Writer, writer_for
from streamasr.app.levels import QUIETEST, peak
from streamasr.app.live import Display, printable
from streamasr.core.audio import Samples
from streamasr.core.events import Event, Final, Partial
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer, RecognizerStream
from streamasr.core.scribe import as_written
from streamasr.edge.sources import STDIN, RawFormat, Source, open_source, paced
from streamasr.errors import AudioFormatError, StreamasrError, UsageError

STDIN_NAME = "standard input"


def check_names(files: list[str], form: Format, output_dir: Path | None) -> None:
    """Refuse what could not be printed or written apart; raises UsageError."""
    if files.count(STDIN) > 1:
        raise UsageError("standard input can be read once only", remedy="name - once")
    if output_dir is None:
        if len(files) > 1 and form in (Format.SRT, Format.VTT):
            raise UsageError(
                f"{form.value} holds one file", remedy="add --output-dir FOLDER for several"
            )
        return
    writers: dict[Path, str] = {}
    for name in files:
        target = output_file(name, form, output_dir)
        if target in writers:
            raise UsageError(
                f"{printable(writers[target])} and {printable(name)} would both be written to "
                f"{printable(str(target))}",
                remedy="transcribe them into different folders",
            )
        writers[target] = name


def output_file(name: str, form: Format, folder: Path) -> Path:
    """Where the transcript of a file goes."""
    stem = "stdin" if name == STDIN else Path(name).stem
    return folder / (stem + form.suffix)


def fault(error: Exception) -> str:
    """What went wrong with a file, and what to do, in one line."""
    match error:
        case FileNotFoundError():
            return "no such file (check the name)"
        case PermissionError():
            return "no permission to read it (chmod, or ask its owner)"
        case OSError(strerror=str(reason)):
            return reason
        case AudioFormatError(remedy=""):
            return f"{error} (record or convert it again)"
        case _:
            return str(error)


@dataclass
class Job:
    """Transcribes files one after the other with one engine."""

    engine: Engine
    form: Format
    display: Display
    output_dir: Path | None = None
    realtime: bool = False
    raw: RawFormat | None = None
    stdin: BinaryIO | None = None
    options: StreamOptions = field(default_factory=StreamOptions)

    def run(self, files: list[str]) -> bool:
        """Transcribe all; whether all went well."""
        good = True
        for name in files:
            shown = STDIN_NAME if name == STDIN else printable(name)
            try:
                self._one(name, shown, titled=len(files) > 1)
            except BrokenPipeError:
                raise
            except (AudioFormatError, OSError) as error:
                self.display.note(f"{shown}: {fault(error)}")
                good = False
            finally:
                self.display.close()
        return good

    def _one(self, name: str, shown: str, *, titled: bool) -> None:
        with ExitStack() as stack:
            source = stack.enter_context(open_source(name, raw=self.raw, stdin=self.stdin))

            def begin() -> Writer:
                """Called at the first audio: a file that has none leaves no trace."""
                if self.output_dir is None:
                    writer = writer_for(self.form, self.display.out)
                else:
                    path = output_file(name, self.form, self.output_dir)
                    writer = writer_for(self.form, stack.enter_context(create(path)))
                writer.begin(shown, titled=titled and self.output_dir is None)
                return writer

            transcript = Transcript(source, begin, self.display)
            transcript.run(self.engine, realtime=self.realtime, options=self.options)
            if transcript.silent:
                self.display.note(f"{shown}: the audio is digital silence from end to end")


def create(path: Path) -> TextIO:
    """Open a file for a transcript, its folder too; raises StreamasrError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise StreamasrError(f"cannot write {path}: {error.strerror}") from error


class Transcript:
    """One source on its way through the recogniser."""

    def __init__(self, source: Source, begin: Callable[[], Writer], display: Display) -> None:
        self._source = source
        self._begin = begin
        self._display = display
        self._writer: Writer | None = None  # from the first audio on
        self._compute_s = 0.0
        self._peak = 0.0
        self._open_text = ""  # of the utterance that goes on
        self._shown = ""

    @property
    def silent(self) -> bool:
        """Whether nothing but digital silence came."""
        return self._peak < QUIETEST

    def run(
        self, engine: Engine, *, realtime: bool = False, options: StreamOptions | None = None
    ) -> None:
        """Transcribe to the end; what was understood is written even when the audio fails.

        Raises AudioFormatError when the audio is none, damaged, or not all there.
        """
        blocks = self._source.blocks
        options = replace(options or StreamOptions(), partials=self._display.live)
        with Recognizer(engine).stream(options) as stream:
            try:
                for samples in paced(blocks) if realtime else blocks:
                    self._accept(stream, samples)
            except (AudioFormatError, KeyboardInterrupt):
                self._finish(stream)
                raise
            self._finish(stream)
            if not stream.position:
                raise AudioFormatError("holds no audio", remedy="record or copy it again")

    def _accept(self, stream: RecognizerStream, samples: Samples) -> None:
        if self._writer is None and len(samples):
            self._writer = self._begin()
        self._peak = max(self._peak, peak(samples))
        self._tell(self._timed(lambda: stream.accept(samples)))
        self._progress(stream.position)

    def _finish(self, stream: RecognizerStream) -> None:
        self._tell(self._timed(stream.finish))
        self._display.close()
        if self._writer is not None:
            self._writer.end(samples=stream.position, compute_s=self._compute_s)

    def _timed(self, work: Callable[[], list[Event]]) -> list[Event]:
        started = time.perf_counter()
        try:
            return work()
        finally:
            self._compute_s += time.perf_counter() - started

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Partial):
                self._open_text = event.text
            elif isinstance(event, Final):
                self._open_text = ""
                self._display.partial("")
                self._shown = ""
                assert self._writer is not None, "no text without audio"
                self._writer.segment(as_written(event))

    def _progress(self, position: int) -> None:
        """Show how far it is, and the open utterance, where somebody watches."""
        if not self._display.live:
            return
        at_s = position / SAMPLE_RATE
        total_s = self._source.duration_s
        if total_s:
            done = f"{min(at_s / total_s, 1):4.0%}"
        else:
            done = f"{int(at_s) // 60}:{int(at_s) % 60:02d}"
        text = f"{done}  {self._open_text}"
        if text != self._shown:
            self._shown = text
            self._display.partial(text)
