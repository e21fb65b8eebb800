"""``streamasr mic``: what is said into a microphone, on the terminal."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from streamasr.app import options


class MicFormat(StrEnum):
    """How `mic` prints."""

    TEXT = "text"
    JSON = "json"


def mic(
    input: options.InputOption = None,
    partials: Annotated[
        bool | None,
        typer.Option(
            "--partials/--no-partials",
            help="Show words while they are spoken; by default on a terminal only.",
        ),
    ] = None,
    format: Annotated[
        MicFormat, typer.Option("--format", "-f", help="Lines of text, or events as JSON.")
    ] = MicFormat.TEXT,
    model: options.ModelOption = None,
    decoder: options.DecoderOption = options.DecoderChoice.AUTO,
    hotwords: options.HotwordsOption = None,
    punctuate: options.PunctuateOption = False,
    device: options.DeviceOption = options.Device.AUTO,
    threads: options.ThreadsOption = 1,
) -> None:
    """Print what is said into a microphone, until Ctrl-C.

    Words appear in grey while they are spoken and stay when the utterance ends. A
    microphone that vanishes is taken up again when it returns. With --format json each
    line is an event as the daemon's native protocol sends it.

    \b
    Examples:
      streamasr mic
      streamasr mic --input usb > notes.txt
      streamasr mic --format json --partials | jq .text
    """
    from streamasr.app.listening import Listener, stop_on_signals
    from streamasr.app.live import Display
    from streamasr.core.options import StreamOptions
    from streamasr.edge.microphone import Microphone
    from streamasr.edge.portaudio import libraries_apart

    engine = options.open_model(model, device=device, threads=threads, decoder=decoder)
    hot = options.read_hotwords(hotwords, engine)
    with (
        libraries_apart() as err,
        Microphone(input) as microphone,
        stop_on_signals(microphone.stop),
    ):
        display = Display(sys.stdout, err, partials=partials is not False)
        if display.live:
            display.note(f"listening to {microphone.device.name}; Ctrl-C ends")
        as_json = format is MicFormat.JSON
        how = StreamOptions(hotwords=hot, punctuate=punctuate)
        listener = Listener(
            engine, display, json=as_json, partial_lines=partials is True, options=how
        )
        listener.run(microphone.items())
