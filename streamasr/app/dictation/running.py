"""A dictation with all its parts, from the start to the end of the process.

run(settings, recording=None, environ=os.environ)
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from streamasr.app.dictation.board import Board
from streamasr.app.dictation.keeping import Keeper, kept_folder
from streamasr.app.dictation.listening import MicrophoneEar, Recording
from streamasr.app.dictation.session import Changed, Dictation, Listening
from streamasr.app.dictation.settings import Mode, OnFocus, Settings
from streamasr.app.dictation.writer import Writer
from streamasr.app.listening import stop_on_signals
from streamasr.app.live import Display
from streamasr.app.options import DecoderChoice, Device, open_model
from streamasr.core.dictation.punctuating import Guide
from streamasr.core.dictation.style import Punctuation
from streamasr.core.hotwords import HotWord, HotWords, heat
from streamasr.core.punctuation.punctuator import LONGEST_WAIT, Punctuator
from streamasr.core.recognizer import Engine
from streamasr.edge.dictation.control import Control, runtime_folder
from streamasr.edge.dictation.focus import find_focus
from streamasr.edge.dictation.hand import Hand
from streamasr.edge.dictation.sounds import play
from streamasr.edge.dictation.ways import best_way, open_typist
from streamasr.edge.lm.pronounce import Pronouncer
from streamasr.edge.notify import notify
from streamasr.edge.portaudio import libraries_apart
from streamasr.edge.punctuation import OnnxNetwork, find

LAST_S = 10.0
"""What the hand gets to type the rest at the end."""


def run(
    settings: Settings,
    *,
    recording: str | None = None,
    threads: int = 1,
    environ: Mapping[str, str] = os.environ,
    read_again: Callable[[], Settings] | None = None,
) -> None:
    """Dictate until a signal ends it, or all is said; raises StreamasrError.

    ``read_again`` reads the settings when `reload` or SIGHUP asks for it.
    """
    typing = best_way(environ) if settings.typing == "auto" else settings.typing
    with libraries_apart() as err, Control.claim(runtime_folder(environ)) as control:
        display = Display(_shown(typing), err)
        engine = open_model(
            settings.model,
            device=Device.AUTO,
            threads=threads,
            decoder=DecoderChoice(settings.decoder),
        )
        facts = {"mode": settings.mode.value, "typing": typing}
        sound = play if settings.sounds else lambda _: None
        board = Board(control.publish, display, play=sound, facts=facts)
        desk = Desk(settings, engine, board, typing, environ, recording, read_again)
        control.serve(desk.dictation.act)
        if settings.mode is Mode.PUSH and recording is None:
            board.note("ready: `streamasr dictate toggle` starts and stops; Ctrl-C ends")
        try:
            with (
                stop_on_signals(desk.dictation.quit),
                called_on_hang_up(desk.dictation.hang_up),
            ):
                notify("READY=1", environ=environ)
                desk.dictation.run()
        finally:
            notify("STOPPING=1", environ=environ)
            left = desk.close()
            display.close()
            if left:
                display.note(f"{left} characters were not typed: their window lost the focus")


class Desk:
    """The parts of a dictation, put together."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        board: Board,
        typing: str,
        environ: Mapping[str, str],
        recording: str | None,
        read_again: Callable[[], Settings] | None,
    ) -> None:
        self._settings, self._engine, self._board = settings, engine, board
        self._focus, self._writers_focus = find_focus(environ), find_focus(environ)
        board.show(focus=self._focus.name or "unknown")
        self._hand = Hand(
            self._focus,
            told=lambda doing: board.show(hand=doing.value),
            failed=lambda error: self.dictation.broke(error),
            follows=settings.on_focus is OnFocus.FOLLOW,
        )
        self._writer = Writer(
            settings,
            self._writers_focus,
            self._hand,
            lambda name: open_typist(typing if name == "auto" else name, environ),
            guide=open_guide(settings, engine),
        )
        first = self._brought(settings)
        self.dictation = Dictation(
            engine,
            settings,
            self._writer,
            _listening(settings, recording),
            board,
            hotwords=first.hotwords,
            keeper=first.keeper,
            reload=read_again and (lambda: self._changed(read_again())),
            is_once=recording is not None,
        )

    def close(self) -> int:
        """Type the rest and let the desktop go; characters that were left over."""
        left = self._hand.finish(LAST_S)
        self._writer.close()
        self._focus.close()
        self._writers_focus.close()
        return left

    def _changed(self, settings: Settings) -> Changed:
        """Take up other settings; raises StreamasrError, and nothing has changed then."""
        settings, waiting = settings.kept_at_start(self._settings)
        brought = self._brought(settings)
        self._writer.change(settings, open_guide(settings, self._engine))
        if waiting:
            self._board.note(f"from the next start on: {', '.join(waiting)}")
        return brought

    def _brought(self, settings: Settings) -> Changed:
        """What settings bring beside themselves; tells what the person must know of it."""
        hotwords, unknown = expected(settings, self._engine)
        if unknown:
            names = ", ".join(unknown)
            self._board.note(f"the model cannot expect {names}: it is written, not boosted")
        return Changed(settings, hotwords, self._keeper(settings) if settings.keep else None)

    def _keeper(self, settings: Settings) -> Keeper:
        keeper = Keeper(kept_folder(), minutes=settings.keep_minutes)
        is_full = f", which is full: {settings.keep_minutes} minutes" if keeper.is_full else ""
        self._board.note(
            f"what you say is kept in {keeper.folder}{is_full}; `streamasr dictate kept` shows it"
        )
        return keeper


@contextmanager
def called_on_hang_up(call: Callable[[], None]) -> Iterator[None]:
    """Call it on SIGHUP, which asks daemons to read their settings again."""
    before = signal.signal(signal.SIGHUP, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _shown(typing: str) -> TextIO:
    """Where lines for the person go: standard output may be the text's."""
    return sys.stderr if typing == "stdout" else sys.stdout


def _listening(settings: Settings, recording: str | None) -> Callable[[], Listening]:
    if recording is None:
        return MicrophoneEar(settings.microphone)
    return lambda: Recording(recording)


def open_guide(settings: Settings, engine: Engine) -> Guide | None:
    """What sets marks that nobody says, if any style wants them; raises BundleError.

    Where nothing typed is taken back, a mark waits for one word instead of two.
    """
    styles = [settings.style, *(profile.style for profile in settings.profiles)]
    if all(style.punctuation is not Punctuation.AUTO for style in styles):
        return None
    only_appends = engine.facts.graph is None
    return Guide(Punctuator(OnnxNetwork(find())), waits=1 if only_appends else LONGEST_WAIT)


def expected(settings: Settings, engine: Engine) -> tuple[HotWords | None, tuple[str, ...]]:
    """The personal dictionary as hot words, and those of its words that nobody can say."""
    model = engine.facts.graph
    words = settings.style.words
    if model is None or not words:
        return None, ()
    pronouncer = Pronouncer(model.pronounce)
    hotwords = heat(model, [_hot_word(word, settings.boost, pronouncer) for word in words])
    return hotwords, hotwords.unknown


def _hot_word(word: str, boost: float, pronouncer: Pronouncer) -> HotWord:
    """A word to expect; one that the lexicon lacks is said as it is spelled."""
    spoken = word.lower()
    ways = pronouncer([spoken]).get(spoken, [])
    is_guessed = spoken in pronouncer.guessed and ways
    return HotWord(word, boost, " ".join(ways[0]) if is_guessed else "")
