"""``streamasr doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app.options import JsonOption, ModelOption

if TYPE_CHECKING:
    from streamasr.app.doctor import Check


def doctor(
    model: ModelOption = None,
    port: Annotated[int, typer.Option("--port", help="The port that the daemon is to use.")] = 2700,
    json: JsonOption = False,
) -> None:
    """Check this machine: what works, what is missing, what to do.

    Exit code 1 when something fails that the daemon or `transcribe` needs.

    \b
    Examples:
      streamasr doctor
      streamasr doctor --json | jq '.checks[] | select(.status != "ok")'
    """
    from streamasr.app.doctor import examine

    if not report(examine(model, port=port), as_json=json):
        raise typer.Exit(1)


def report(checks: Iterable[Check], *, as_json: bool) -> bool:
    """Print the checks, each as soon as it is done; whether none failed."""
    from dataclasses import asdict
    from json import dumps

    from streamasr.app.doctor import Status

    done = []
    for check in checks:
        done.append(check)
        if not as_json:
            remedy = f"\n      -> {check.remedy}" if check.remedy else ""
            print(f"{check.status:4}  {check.name}: {check.found}{remedy}", flush=True)
    failed = any(check.status is Status.FAIL for check in done)
    if as_json:
        record = {"ok": not failed, "checks": [asdict(check) for check in done]}
        print(dumps(record, ensure_ascii=False))
    return not failed
