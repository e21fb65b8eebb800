"""A dictation with all its parts, from the start to the end of the process.

run(settings, recording=None, environ=os.environ)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from streamasr.app.dictation.board import Board
from streamasr.app.dictation.listening import MicrophoneEar, Recording
from streamasr.app.dictation.session import Dictation, Listening
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
) -> None:
    """Dictate until a signal ends it, or all is said; raises StreamasrError."""
    typing = best_way(environ) if settings.typing == "auto" else settings.typing
    with libraries_apart() as err, Control.claim(runtime_folder(environ)) as control:
        display = Display(_shown(typing), err)
        engine = open_model(
            settings.model,
            device=Device.AUTO,
            threads=threads,
            decoder=DecoderChoice(settings.decoder),
        )
        hotwords, unknown = expected(settings, engine)
        guide = open_guide(settings, engine)
        focus, writers_focus = find_focus(environ), find_focus(environ)
        board = Board(
            control.publish,
            display,
            play=play if settings.sounds else lambda _: None,
            facts={"mode": settings.mode.value, "typing": typing, "focus": focus.name or "unknown"},
        )
        if unknown:
            board.note(f"the model cannot expect {', '.join(unknown)}: it is written, not boosted")
        hand = Hand(
            focus,
            told=lambda doing: board.show(hand=doing.value),
            failed=lambda error: dictation.broke(error),
            follows=settings.on_focus is OnFocus.FOLLOW,
        )
        writer = Writer(
            settings,
            writers_focus,
            hand,
            lambda name: open_typist(typing if name == "auto" else name, environ),
            guide=guide,
        )
        dictation = Dictation(
            engine,
            settings,
            writer,
            _listening(settings, recording),
            board,
            hotwords=hotwords,
            is_once=recording is not None,
        )
        control.serve(dictation.act)
        notify("READY=1", environ=environ)
        if settings.mode is Mode.PUSH and recording is None:
            board.note("ready: `streamasr dictate toggle` starts and stops; Ctrl-C ends")
        try:
            with stop_on_signals(dictation.quit):
                dictation.run()
        finally:
            notify("STOPPING=1", environ=environ)
            left = hand.finish(LAST_S)
            writer.close()
            focus.close()
            writers_focus.close()
            display.close()
            if left:
                display.note(f"{left} characters were not typed: their window lost the focus")


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
