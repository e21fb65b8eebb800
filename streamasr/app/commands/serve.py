"""``streamasr serve``: the daemon."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app.logs import set_up_logging
from streamasr.app.options import DecoderChoice, Device

if TYPE_CHECKING:
    from streamasr.core.recognizer import Engine
    from streamasr.edge.settings import Settings

WEB = Path(__file__).parents[1] / "web"


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on.  [127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="TCP port; 0 takes a free one.  [2700]")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Name or folder of the model.  [en-small]")
    ] = None,
    device: Annotated[
        Device | None, typer.Option("--device", help="What runs the model.  [auto]")
    ] = None,
    decoder: Annotated[
        DecoderChoice | None,
        typer.Option("--decoder", help="greedy, graph, or auto: what the model has.  [auto]"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="CPU threads of the engine.  [1]")
    ] = None,
    max_sessions: Annotated[
        int | None,
        typer.Option("--max-sessions", help="Sessions at a time; more get 503.  [256]"),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Who may come in: one token a line."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, PEM.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without tokens.")
    ] = False,
) -> None:
    """Run the recogniser as a websocket daemon.

    Clients connect to ws://HOST:PORT/v1/stream (docs/PROTOCOL.md); http://HOST:PORT/demo
    captions a microphone or a file in a browser. Flags win over the
    environment (STREAMASR_*), and that over the file; docs/OPERATIONS.md lists every
    setting. SIGTERM lets open sessions finish; a second one cuts them.

    \b
    Examples:
      streamasr serve
      streamasr serve --model ./models/mine --max-sessions 50
      streamasr serve --host 0.0.0.0 --token-file /etc/streamasr/tokens
    """
    from streamasr.edge.pages import demo_routes
    from streamasr.edge.server import run
    from streamasr.edge.settings import load

    flags = {
        "server.host": host,
        "server.port": port,
        "server.model": model,
        "server.device": device and device.value,
        "server.decoder": decoder and decoder.value,
        "server.threads": threads,
        "limits.sessions": max_sessions,
        "server.token_file": _text(token_file),
        "server.tls_cert": _text(tls_cert),
        "server.tls_key": _text(tls_key),
        "server.insecure": insecure or None,
    }
    settings = load(path=config, environ=os.environ, flags=flags)
    set_up_logging(getattr(logging, settings.server.log_level.upper()), force=False)
    if code := run(settings, opener(settings), demo_routes(WEB)):
        raise typer.Exit(code)


def opener(settings: Settings) -> Callable[[], Engine]:
    """What opens the engine of these settings; called in the engine's own thread."""

    def open_it() -> Engine:
        from streamasr.core.options import decoder_name
        from streamasr.edge.bundle import find
        from streamasr.edge.engines import open_engine

        server = settings.server
        return open_engine(
            find(server.model),
            device=server.device,
            threads=server.threads,
            capacity=settings.limits.sessions,
            decoder=decoder_name(server.decoder),
        )

    return open_it


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
