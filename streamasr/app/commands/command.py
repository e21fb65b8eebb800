"""``streamasr command``: spoken sentences to actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app import options
from streamasr.app.commands.transcribe import raw_format
from streamasr.edge.settings import is_loopback
from streamasr.errors import ConfigError, MissingExtra, UsageError

if TYPE_CHECKING:
    from streamasr.core.graph import GraphModel
    from streamasr.core.recognizer import Engine

MOST_CONNECTIONS = 8

AudioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--audio", metavar="FILE", help="Hear a file instead; - is standard input. Repeatable."
    ),
]
RateOption = Annotated[
    int | None, typer.Option("--rate", help="The audio is raw, at this rate in hertz.")
]
TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="WORDS", help="Take a sentence as said. Repeatable."),
]
WakeOption = Annotated[
    str | None,
    typer.Option("--wake", metavar="PHRASE", help="Hear only what follows this phrase."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Reject sentences that are less sure."),
]
PartialsOption = Annotated[
    bool, typer.Option("--partials", help="Tell what a sentence may become, as it is spoken.")
]
WyomingOption = Annotated[
    str | None,
    typer.Option(
        "--wyoming",
        metavar="[HOST:]PORT",
        help="Serve Home Assistant's pipeline there, instead of hearing a microphone.",
    ),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Let other machines in; Wyoming has no passwords.")
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Check the file and leave; 1 if anything is wrong.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print what was understood, and do nothing else.")
]


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sentences: TOML or YAML.")],
    input: options.InputOption = None,
    audio: AudioOption = None,
    rate: RateOption = None,
    text: TextOption = None,
    wake: WakeOption = None,
    threshold: ThresholdOption = None,
    partials: PartialsOption = False,
    wyoming: WyomingOption = None,
    insecure: InsecureOption = False,
    check: CheckOption = False,
    dry_run: DryRunOption = False,
    model: options.ModelOption = None,
    device: options.DeviceOption = options.Device.AUTO,
    threads: options.ThreadsOption = 1,
) -> None:
    """Hear the sentences of a file, and do what it says.

    Each sentence heard is a line of JSON: its intent, slots, text and confidence; so is what
    was rejected, and an action that failed. docs/COMMANDS.md tells of the file. It is read
    again when it changes; what is wrong in it is told with its line, and the rest holds.

    \b
    Examples:
      streamasr command home.toml
      streamasr command home.toml --wake "hey computer"
      streamasr command home.toml --check
      streamasr command home.toml --audio order.wav --dry-run
      streamasr command home.toml --wyoming 10400
    """
    try:
        from streamasr.app.commanding import Commander, Sources
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "hassil", "home") from None
    from streamasr.app.live import standard_display

    where = None if wyoming is None else address(wyoming, insecure=insecure)
    engine = options.open_model(
        model, device=device, threads=threads, decoder=options.DecoderChoice.GRAPH,
        capacity=1 if where is None else MOST_CONNECTIONS,
    )  # fmt: skip
    commander = Commander(
        file, engine, graph_of(engine), standard_display(),
        wake=wake, threshold=threshold, partials=partials, is_acting=not (dry_run or check),
    )  # fmt: skip
    if check:
        raise typer.Exit(int(any(not problem.is_guess for problem in commander.problems)))
    if where is not None:
        commander.serve(*where)
    elif text:
        commander.take_texts(text)
    else:
        commander.listen(Sources(input, tuple(audio or ()), raw_format(rate, None, None)))


def address(text: str, *, insecure: bool) -> tuple[str, int]:
    """Host and port of ``--wyoming``; raises UsageError."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise UsageError(f"{text!r} is no port", remedy="such as 10400 or 0.0.0.0:10400")
    if not is_loopback(host) and not insecure:
        raise UsageError(
            f"Wyoming on {host} would let other machines in without passwords",
            remedy="add --insecure if that is meant",
        )
    return host, int(port)


def graph_of(engine: Engine) -> GraphModel:
    """What a model knows about words; raises ConfigError for one without."""
    graph = engine.facts.graph
    if graph is None:
        raise ConfigError(
            f"{engine.facts.name} has no lexicon, which commands need",
            remedy="use a model with a language model",
        )
    return graph
