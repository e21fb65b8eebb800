"""``streamasr token``: secrets that open the daemon's door."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def token(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Token file of the daemon; made if need be."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Whose it is: a comment in the file.")] = "",
) -> None:
    """Make a token that lets a client in.

    It is printed; the file gets its hash alone. Give the file to the daemon with --token-file.
    One that runs reads it again at SIGHUP; to revoke a token, delete its line. Without FILE
    the line is printed after the token.

    \b
    Examples:
      streamasr token /etc/streamasr/tokens --name laptop
      streamasr serve --host 0.0.0.0 --token-file /etc/streamasr/tokens
    """
    from streamasr.edge.admission import add_token, new_token

    secret, line = new_token()
    if file is not None:
        add_token(file, line, name=name)
    print(secret)
    if file is None:
        print(line)
