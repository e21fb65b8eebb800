"""``streamasr devices``: the microphones that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from streamasr.app.options import JsonOption
from streamasr.app.table import print_table

if TYPE_CHECKING:
    from streamasr.edge.portaudio import InputDevice


def devices(json: JsonOption = False) -> None:
    """List the microphones, the default marked with a star.

    Exit code 1 when there is none.

    \b
    Examples:
      streamasr devices
      streamasr devices --json | jq '.[].name'
    """
    from streamasr.edge.portaudio import PortAudio

    found = PortAudio().inputs()
    show(found, as_json=json)
    if not found:
        raise typer.Exit(1)


def show(found: list[InputDevice], *, as_json: bool) -> None:
    """Print devices as a table or as a JSON list."""
    import sys
    from dataclasses import asdict
    from json import dumps

    if as_json:
        print(dumps([asdict(device) for device in found], ensure_ascii=False))
    elif not found:
        print(
            "streamasr: no microphone found (plug one in, or see that the sound server runs)",
            file=sys.stderr,
        )
    else:
        rows = [
            (
                "*" if device.default else "",
                str(device.index),
                device.name,
                device.host,
                str(device.channels),
                str(device.sample_rate),
            )
            for device in found
        ]
        print_table(("", "N", "NAME", "SYSTEM", "CHANNELS", "RATE HZ"), rows, right={1, 4, 5})
