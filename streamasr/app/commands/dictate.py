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
    """What to tell the dictation that runs, or to do with what was kept."""

    START = "start"
    STOP = "stop"
    TOGGLE = "toggle"
    CANCEL = "cancel"
    RELOAD = "reload"
    STATUS = "status"
    KEPT = "kept"
    FORGET = "forget"


ActionArgument = Annotated[
    Action | None,
    typer.Argument(
        metavar="[start|stop|toggle|cancel|reload|status|kept|forget]",
        help="Steer the dictation that runs; show or delete what was kept. Without it, run one.",
    ),
]
PushOption = Annotated[
    bool, typer.Option("--push", help="Listen only between `start` and `stop`: push to talk.")
]
OnceOption = Annotated[bool, typer.Option("--once", help="Type one utterance, then leave.")]
TypingOption = Annotated[
    str | None,
    typer.Option(
        "--typing",
        metavar="WAY",
        help="auto, wtype, xtest, xdotool, ibus, uinput, ydotool, paste, clipboard or stdout.",
    ),
]
HoldBackOption = Annotated[
    int | None,
    typer.Option("--hold-back", help="Words kept back until more follow; 1 by default."),
]
PunctuationOption = Annotated[
    Punctuation | None,
    typer.Option(
        "--punctuation",
        help="auto sets marks and capitals by itself, spoken writes those that you say.",
    ),
]
RecordingOption = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="A recording in place of the microphone."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings; ~/.config/streamasr/dictation.toml without it."),
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="With status: a line of JSON whenever it changes.")
]
DecoderOption = Annotated[
    options.DecoderChoice | None,
    typer.Option("--decoder", help="graph corrects what it typed, greedy never does."),
]


def dictate(
    action: ActionArgument = None,
    push: PushOption = False,
    once: OnceOption = False,
    typing: TypingOption = None,
    hold_back: HoldBackOption = None,
    punctuation: PunctuationOption = None,
    input: options.InputOption = None,
    recording: RecordingOption = None,
    config: ConfigOption = None,
    follow: FollowOption = False,
    model: options.ModelOption = None,
    decoder: DecoderOption = None,
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
      streamasr dictate reload              takes up changed settings
      streamasr dictate --once --typing stdout | xargs -0 notify-send
    """
    if follow and action is not Action.STATUS:
        raise UsageError("--follow goes with status", remedy="`streamasr dictate status --follow`")
    if action in (Action.KEPT, Action.FORGET):
        show_kept() if action is Action.KEPT else forget()
        return
    if action is not None:
        steer(action, follow=follow)
        return
    if push and once:
        raise UsageError("--push and --once exclude each other", remedy="choose one")
    from streamasr.app.dictation.running import run
    from streamasr.app.dictation.settings import Mode, Settings, load, overridden

    def settings() -> Settings:
        return overridden(
            load(config, punctuation=punctuation),
            mode=Mode.PUSH if push else Mode.ONCE if once else None,
            typing=typing,
            hold_back=hold_back,
            microphone=input,
            model=model,
            decoder=decoder,
        )

    run(settings(), recording=recording, threads=threads, read_again=settings)


def show_kept() -> None:
    """Print what was dictated and kept, and where it can be corrected."""
    from streamasr.app.dictation.keeping import kept, kept_folder
    from streamasr.app.finetune.gathering import minutes
    from streamasr.app.manifest import MANIFEST
    from streamasr.app.table import print_table

    folder = kept_folder()
    utterances = kept(folder)
    if not utterances:
        print(f"nothing is kept in {folder}")
        return
    rows = [(u.id, f"{u.duration_s:.1f}", u.text) for u in utterances]
    print_table(("UTTERANCE", "SECONDS", "TEXT"), rows, right={1})
    print(
        f"{minutes(sum(u.duration_s for u in utterances))}; correct the last column, or delete "
        f"lines, in {folder / MANIFEST}; then `streamasr finetune --dictated`"
    )


def forget() -> None:
    """Delete what was dictated and kept."""
    from streamasr.app.dictation.keeping import forget, kept_folder

    folder = kept_folder()
    print(f"{folder} is deleted" if forget(folder) else f"nothing is kept in {folder}")


def steer(action: Action, *, follow: bool) -> None:
    """Tell the dictation that runs; print its status where it is asked for."""
    from json import dumps

    from streamasr.edge.dictation import control

    folder = control.runtime_folder()

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
