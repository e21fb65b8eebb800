"""The command line: one verb a module in ``commands``, loaded when it is called.

    streamasr transcribe talk.flac

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted. A failure that we know
is one line on the error stream; the traceback of one that we do not is kept for ``-v``.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from streamasr import __version__
from streamasr.app.logs import set_up_logging
from streamasr.errors import MissingExtra, StreamasrError, UsageError

log = logging.getLogger(__name__)

VERBS = {
    "serve": "Run the recogniser as a websocket daemon.",
    "token": "Make a token that lets a client in.",
    "mic": "Print what is said into a microphone, until Ctrl-C.",
    "command": "Hear the sentences of a file, and do what it says.",
    "dictate": "Type what is said into the window that has the focus.",
    "transcribe": "Turn audio files into text.",
    "devices": "List the microphones, the default marked with a star.",
    "models": "List the models that are found, the default marked with a star.",
    "train": "Train a model.",
    "eval": "Measure a model's word error rate on a folder of speech.",
    "align": "Find when each word and phone of a corpus was said.",
    "finetune": "Adapt a model to your voice and microphone.",
    "export": "Turn a training run into a model folder.",
    "lm": "Make a language model, put it into a model, tune it.",
    "punctuate": "Set marks and capitals in words; train what sets them.",
    "bench": "Measure what this machine carries.",
    "doctor": "Check this machine: what works, what is missing, what to do.",
}
"""Verb -> the first line of its help; each has a function of its name in ``commands``."""

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


def run(args: list[str] | None = None) -> None:
    """Run the command line and leave by SystemExit."""
    try:
        app(args, prog_name="streamasr")
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _stop_printing()


def exit_code(error: StreamasrError) -> int:
    """2 where the call was wrong, 1 where it was right and failed."""
    wrong_call = isinstance(error, UsageError) and not isinstance(error, MissingExtra)
    return 2 if wrong_call else 1


@contextmanager
def boundary() -> Iterator[None]:
    """Turn what a verb raises into a line and an exit code."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except StreamasrError as error:
        log.debug("the error in full", exc_info=True)
        complain(str(error))
        raise typer.Exit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _stop_printing()
        raise typer.Exit(1) from None
    except OSError as error:
        log.debug("the error in full", exc_info=True)
        complain(str(error))
        raise typer.Exit(1) from None
    except Exception as error:
        log.info("the error in full", exc_info=True)
        complain(f"internal error: {type(error).__name__}: {error} (-v shows where)")
        raise typer.Exit(1) from None


def _stop_printing() -> None:
    """Nobody reads any more; without this the interpreter would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str) -> None:
    """Write one line of error."""
    print(f"streamasr: {message}", file=sys.stderr)


class Verbs(TyperGroup):
    """The verbs by name, each imported only when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"streamasr.app.commands.{cmd_name}")
        found = getattr(module, cmd_name)
        if isinstance(found, dict):
            return _group(VERBS[cmd_name], found)
        command = _command(found)
        command.params += _command(_logging_options).params
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


app = typer.Typer(
    cls=Verbs,
    add_completion=True,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _command(function: Callable[..., None]) -> Any:
    """A verb's function as a command that leaves by `boundary`."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        with boundary():
            function(*args, **kwargs)
            sys.stdout.flush()

    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    one.command(context_settings={"help_option_names": ["-h", "--help"]})(guarded)
    return typer.main.get_command(one)


def _group(title: str, functions: dict[str, Callable[..., None]]) -> Any:
    """Verbs below a verb."""
    one = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, help=title)
    one.callback()(lambda: None)
    group: Any = typer.main.get_command(one)
    for name, function in functions.items():
        command = _command(function)
        command.name = name
        command.params += _command(_logging_options).params
        group.add_command(command, name)
    return group


def _show_version(value: bool) -> None:
    if value:
        print(f"streamasr {__version__}")
        raise typer.Exit()


def _louder(value: int) -> None:
    if value:
        set_up_logging(logging.INFO if value == 1 else logging.DEBUG)


def _quieter(value: bool) -> None:
    if value:
        set_up_logging(logging.ERROR)


VerboseOption = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_louder,
        show_default=False,
        help="Log more; twice for everything.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        expose_value=False,
        callback=_quieter,
        help="Log errors only.",
    ),
]


def _logging_options(verbose: VerboseOption = 0, quiet: QuietOption = False) -> None:
    """The options that every verb has."""


@app.callback()
def streamasr(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Print the version and leave.",
        ),
    ] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Live speech to text, offline.

    \b
    Examples:
      streamasr serve                  captions for programs, on 127.0.0.1:2700
      streamasr mic                    what is said, on the terminal
      streamasr transcribe talk.flac   a file as text
      streamasr VERB --help            all about one verb
    """
