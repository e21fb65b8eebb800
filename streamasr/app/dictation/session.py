"""A dictation: commands and audio in, typing out, one message after the other.

    dictation = Dictation(engine, settings, writer, ears, board)
    dictation.run()                      # in this thread, until `quit`
    dictation.act("toggle")              # from any other

    idle --start--> listening --stop, tail over--> idle
    listening --speech--> speaking --the utterance ends--> listening

| queue | bound | when full |
| --- | --- | --- |
| ear and control -> dictation | ``WAITING_BLOCKS`` of audio | the ear waits, the microphone drops |
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any, Protocol

from streamasr.app.dictation.board import Board
from streamasr.app.dictation.keeping import Keeper
from streamasr.app.dictation.settings import Mode, Settings
from streamasr.app.dictation.writer import Writer
from streamasr.app.levels import LevelWatch
from streamasr.core.events import Event, Final, Partial, SpeechEnded, SpeechStarted
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.hotwords import HotWords
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from streamasr.errors import StreamasrError, UsageError

WAITING_BLOCKS = 50
ANSWER_S = 10.0
"""For the microphone to open."""

COMMANDS = ("start", "stop", "toggle", "cancel", "reload", "status")


@dataclass(frozen=True, slots=True)
class Changed:
    """What settings that were read again bring."""

    settings: Settings
    hotwords: HotWords | None
    keeper: Keeper | None


class Listening(Protocol):
    """A microphone, or what stands for one."""

    @property
    def name(self) -> str: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> None: ...
    def items(self) -> Iterator[Item]: ...
    def stop(self) -> None: ...


class State(StrEnum):
    """What a dictation is at, for status bars."""

    IDLE = "idle"
    LISTENING = "listening"
    SPEAKING = "speaking"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class _Asked:
    word: str
    answer: Future[None]


@dataclass(frozen=True, slots=True)
class _FromEar:
    ear: int
    item: Item | None
    """None when the ear has ended."""


@dataclass(frozen=True, slots=True)
class _Broke:
    error: StreamasrError


@dataclass(frozen=True, slots=True)
class _Quit:
    pass


@dataclass(frozen=True, slots=True)
class _HangUp:
    pass


_Message = _Asked | _FromEar | _Broke | _Quit | _HangUp


class Dictation:
    """One dictation of one process."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        writer: Writer,
        listening: Callable[[], Listening],
        board: Board,
        *,
        hotwords: HotWords | None = None,
        keeper: Keeper | None = None,
        reload: Callable[[], Changed] | None = None,
        is_once: bool = False,
    ) -> None:
        """``listening`` makes a microphone, anew for every time that it listens.

        ``reload`` reads the settings again, and raises StreamasrError where they are broken.

        With ``is_once`` it listens once and `run` returns, as it does in the mode ``once``.
        """
        self._settings = settings
        self._writer, self._board = writer, board
        self._make = listening
        self._keeper, self._reload = keeper, reload
        self._is_once = is_once or settings.mode is Mode.ONCE
        options = StreamOptions(endpoint_ms=settings.endpoint_ms, words=False, hotwords=hotwords)
        self._stream = Recognizer(engine).stream(options)
        self._inbox: SimpleQueue[_Message] = SimpleQueue()
        self._room = threading.Semaphore(WAITING_BLOCKS)
        self._levels = LevelWatch()
        # known to the running thread only:
        self._ears = 0
        self._open: Listening | None = None
        self._tail: int | None = None  # samples still to be heard before it stops
        self._is_stopping = False  # the microphone was told to end
        self._starts_again = False  # as soon as it has ended
        self._is_quitting = False
        self._said = 0  # utterances that were written

    def act(self, word: str) -> dict[str, Any]:
        """Do what another process asks, and say how it went."""
        if word not in COMMANDS:
            return _refusal(UsageError(f"{word!r} is no command", remedy=", ".join(COMMANDS)))
        if word != "status":
            answer: Future[None] = Future()
            self._inbox.put(_Asked(word, answer))
            try:
                answer.result(timeout=ANSWER_S)
            except TimeoutError:
                return _refusal(StreamasrError(f"{word} takes more than {ANSWER_S:g} s"))
            except StreamasrError as error:
                return _refusal(error)
        return {"ok": True, "status": self._board.status}

    def quit(self) -> None:
        """End `run` after what was said so far; safe in a signal handler."""
        self._inbox.put(_Quit())

    def hang_up(self) -> None:
        """Read the settings again, and tell what is wrong with them; safe in a signal handler."""
        self._inbox.put(_HangUp())

    def broke(self, error: StreamasrError) -> None:
        """End `run` with an error of another thread."""
        self._inbox.put(_Broke(error))

    def run(self) -> None:
        """Listen as the mode has it, until `quit`; raises DeviceError."""
        try:
            if self._settings.mode is not Mode.PUSH:
                self._start()
            while not (self._is_quitting and self._open is None):
                self._take(self._inbox.get())
        finally:
            if self._open is not None:
                self._open.stop()
            self._stream.close()

    def _take(self, message: _Message) -> None:
        match message:
            case _Asked(word, answer):
                try:
                    self._obey(word)
                    answer.set_result(None)
                except StreamasrError as error:
                    answer.set_exception(error)
            case _FromEar(ear, item):
                self._room.release()
                if ear == self._ears:
                    self._hear(item)
            case _Broke(error):
                raise error
            case _HangUp():
                try:
                    self._obey("reload")
                except StreamasrError as error:
                    self._board.note(f"the settings stay as they were: {error}")
            case _Quit():
                self._is_quitting = True
                self._stop(tail_ms=0)

    # Commands

    def _obey(self, word: str) -> None:
        match word:
            case "start":
                self._start()
            case "stop":
                self._stop(self._settings.tail_ms)
            case "toggle" if self._open is None or self._tail is not None:
                self._start()
            case "toggle":
                self._stop(self._settings.tail_ms)
            case "cancel":
                self._cancel()
            case "reload":
                self._change()

    def _change(self) -> None:
        """Take up changed settings; they hold from the next utterance on."""
        if self._reload is None:
            raise UsageError("this dictation has no settings to read again")
        changed = self._reload()
        self._settings, self._keeper = changed.settings, changed.keeper
        self._stream.expect(changed.hotwords)
        self._board.note("the settings were read again")

    def _start(self) -> None:
        self._writer.release()
        self._tail = None
        if self._open is not None:
            self._starts_again = self._is_stopping
            return
        opened = self._make()
        opened.__enter__()
        self._ears += 1
        self._open = opened
        threading.Thread(
            target=self._listen, args=(self._ears, opened), name="dictation ear", daemon=True
        ).start()
        self._board.show(state=State.LISTENING, microphone=opened.name)
        self._board.sound("start")

    def _stop(self, tail_ms: int) -> None:
        """Listen for a little longer, then end the utterance."""
        if self._open is None:
            return
        self._tail = round(tail_ms / 1000 * SAMPLE_RATE)
        self._starts_again = False
        if not self._tail or self._board.state is State.STALLED:
            self._end_listening()

    def _end_listening(self) -> None:
        if self._open is not None and not self._is_stopping:
            self._is_stopping = True
            self._open.stop()

    def _cancel(self) -> None:
        """Forget what is being said and what waits for its window."""
        self._stream.reset()
        self._writer.cancel()
        self._starts_again = False
        if self._open is not None:
            self._end_listening()
            self._closed()

    # Audio

    def _listen(self, ear: int, microphone: Listening) -> None:
        """The ear thread."""
        try:
            for item in microphone.items():
                self._room.acquire()
                self._inbox.put(_FromEar(ear, item))
        except StreamasrError as error:
            self._inbox.put(_Broke(error))
        finally:
            microphone.__exit__(None, None, None)
            self._room.acquire()
            self._inbox.put(_FromEar(ear, None))

    def _hear(self, item: Item | None) -> None:
        match item:
            case Heard(samples):
                for note in self._levels.accept(samples):
                    self._board.note(note)
                self._board.level(samples)
                if self._keeper is not None:
                    self._keeper.accept(self._stream.position, samples)
                self._write(self._stream.accept(samples))
                if self._tail is not None:
                    self._tail -= len(samples)
                    if self._tail <= 0:
                        self._end_listening()
            case Lost(samples):
                self._write(self._stream.gap(samples))
            case Stalled(device):
                # whatever comes next is not the rest of this sentence
                self._write(self._stream.flush())
                self._board.show(state=State.STALLED)
                self._board.note(f"{device} gives no audio; waiting for it to return")
                if self._tail is not None:
                    self._end_listening()
            case Resumed(device):
                self._board.show(state=State.LISTENING)
                self._board.note(f"listening again, to {device}")
            case None:
                self._write(self._stream.flush())
                self._closed()

    def _closed(self) -> None:
        """The microphone is let go."""
        self._open = None
        self._tail = None
        self._is_stopping = False
        self._ears += 1  # what the old ear still says is not heard
        self._board.show(state=State.IDLE)
        self._board.sound("stop")
        if self._is_once:
            self._is_quitting = True
        elif self._starts_again and not self._is_quitting:
            self._starts_again = False
            try:
                self._start()
            except StreamasrError as error:
                self._board.note(str(error))

    def _write(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case SpeechStarted():
                    self._writer.begin()
                    self._board.show(state=State.SPEAKING)
                case Partial(text=text):
                    self._board.text(text)
                    self._writer.partial(text)
                case Final(text=text, start=start, end=end):
                    self._said += 1
                    if self._keeper is not None:
                        self._keeper.final(text, start, end, self._writer.style)
                    self._board.text("")
                    if self._writer.final(text):
                        self._stop(tail_ms=0)
                case SpeechEnded():
                    self._writer.end()
                    self._board.text("")
                    if self._open is not None:
                        self._board.show(state=State.LISTENING)
                    if self._said and self._settings.mode is Mode.ONCE:
                        self._stop(tail_ms=0)


def _refusal(error: StreamasrError) -> dict[str, Any]:
    return {"ok": False, "error": error.message, "remedy": error.remedy}
