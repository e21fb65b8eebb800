"""``streamasr dictate``: what is said, typed into the window that has the focus."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app import options
from streamasr.core.dictation.style import Punctuation
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.edge.dictation.control import Status


class Action(StrEnum):
    """What to tell the dictation that runs."""

    START = "start"
    STOP = "stop"
    TOGGLE = "toggle"
    CANCEL = "cancel"
    STATUS = "status"


def dictate(
    action: Annotated[
        Action | None,
        typer.Argument(
            metavar="[start|stop|toggle|cancel|status]",
            help="Steer the dictation that runs; without it, run one.",
        ),
    ] = None,
    push: Annotated[
        bool, typer.Option("--push", help="Listen only between `start` and `stop`: push to talk.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Type one utterance, then leave.")] = False,
    typing: Annotated[
        str | None,
        typer.Option(
            "--typing",
            metavar="WAY",
            help="auto, wtype, xtest, xdotool, ibus, dotool, paste, clipboard or stdout.",
        ),
    ] = None,
    hold_back: Annotated[
        int | None,
        typer.Option("--hold-back", help="Words kept back until more follow; 1 by default."),
    ] = None,
    punctuation: Annotated[
        Punctuation | None,
        typer.Option(
            "--punctuation",
            help="auto sets marks and capitals by itself, spoken writes those that you say.",
        ),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="NAME|N", help="Microphone by number or a part of its name."
        ),
    ] = None,
    recording: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="A recording in place of the microphone."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Settings; ~/.config/streamasr/dictation.toml without it."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="With status: a line of JSON whenever it changes.")
    ] = False,
    model: options.ModelOption = None,
    decoder: Annotated[
        options.DecoderChoice | None,
        typer.Option("--decoder", help="graph corrects what it typed, greedy never does."),
    ] = None,
    threads: options.ThreadsOption = 1,
) -> None:
    """Type what is said into the window that has the focus.

    Words appear while they are said. Runs until Ctrl-C. Bind desktop hotkeys to the verbs
    below it: press to `toggle`, or press to `start` and release to `stop`. "comma", "new
    line", "scratch that" and more are understood; docs/DICTATION.md lists them and the
    settings.

    \b
    Examples:
      streamasr dictate                     hands-free
      streamasr dictate --push              push to talk: waits for
      streamasr dictate toggle              this
      streamasr dictate status --follow     for status bars
      streamasr dictate --once --typing stdout | xargs -0 notify-send
    """
    if action is not None:
        steer(action, follow=follow)
        return
    if follow:
        raise UsageError("--follow goes with status", remedy="`streamasr dictate status --follow`")
    if push and once:
        raise UsageError("--push and --once exclude each other", remedy="choose one")
    from streamasr.app.dictation.running import run
    from streamasr.app.dictation.settings import Mode, load, overridden

    mode = Mode.PUSH if push else Mode.ONCE if once else None
    settings = overridden(
        load(config, punctuation=punctuation),
        mode=mode,
        typing=typing,
        hold_back=hold_back,
        microphone=input,
        model=model,
        decoder=decoder,
    )
    run(settings, recording=recording, threads=threads)


def steer(action: Action, *, follow: bool) -> None:
    """Tell the dictation that runs; print its status where it is asked for."""
    from json import dumps

    from streamasr.edge.dictation import control

    folder = control.runtime_folder()
    if follow and action is not Action.STATUS:
        raise UsageError("--follow goes with status", remedy="`streamasr dictate status --follow`")

    def show(status: Status) -> None:
        sys.stdout.write(dumps(status, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    if follow:
        for status in control.follow(folder):
            show(status)
    else:
        answer = control.ask(folder, action.value)
        if action is Action.STATUS:
            show(answer["status"])
