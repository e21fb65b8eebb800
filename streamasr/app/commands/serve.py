"""``streamasr serve``: the daemon."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamasr.app.logs import set_up_logging
from streamasr.app.options import DecoderChoice, Device, HotwordsOption, hotword_texts
from streamasr.edge.settings import load, table

if TYPE_CHECKING:
    from streamasr.core.hotwords import HotWord
    from streamasr.core.recognizer import Engine
    from streamasr.edge.link import Link
    from streamasr.edge.settings import Settings
    from streamasr.edge.supervisor import Reread

WEB = Path(__file__).parents[1] / "web"
SETTINGS = {setting.name: setting for setting in table()}


def flag(name: str, option: str, metavar: str | None = None) -> Any:
    """An option that sets a setting, and says of it what the table of settings does."""
    setting = SETTINGS[name]
    default = f"  [{setting.default}]" if setting.default else ""
    return typer.Option(
        option, metavar=metavar, help=setting.help[0].upper() + setting.help[1:] + "." + default
    )


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    host: Annotated[str | None, flag("server.host", "--host")] = None,
    port: Annotated[int | None, flag("server.port", "--port")] = None,
    model: Annotated[str | None, flag("server.model", "--model")] = None,
    device: Annotated[Device | None, flag("server.device", "--device")] = None,
    decoder: Annotated[DecoderChoice | None, flag("server.decoder", "--decoder")] = None,
    threads: Annotated[int | None, flag("server.threads", "--threads")] = None,
    workers: Annotated[int | None, flag("server.workers", "--workers")] = None,
    max_sessions: Annotated[int | None, flag("limits.sessions", "--max-sessions")] = None,
    token_file: Annotated[str | None, flag("server.token_file", "--token-file", "FILE")] = None,
    tls_cert: Annotated[str | None, flag("server.tls_cert", "--tls-cert", "FILE")] = None,
    tls_key: Annotated[str | None, flag("server.tls_key", "--tls-key", "FILE")] = None,
    wyoming_host: Annotated[str | None, flag("server.wyoming_host", "--wyoming-host")] = None,
    wyoming_port: Annotated[int | None, flag("server.wyoming_port", "--wyoming-port")] = None,
    hotwords: HotwordsOption = None,
    insecure: Annotated[bool | None, flag("server.insecure", "--insecure")] = None,
) -> None:
    """Run the recogniser as a websocket daemon.

    Clients connect to ws://HOST:PORT/v1/stream (docs/PROTOCOL.md); http://HOST:PORT/demo
    captions a microphone or a file in a browser. Flags win over the
    environment (STREAMASR_*), and that over the file; docs/OPERATIONS.md lists every
    setting. SIGTERM lets open sessions finish; a second one cuts them. SIGHUP reads the
    settings again, for new sessions.

    \b
    Examples:
      streamasr serve
      streamasr serve --model ./models/mine --max-sessions 50
      streamasr serve --workers 4
      streamasr serve --host 0.0.0.0 --token-file /etc/streamasr/tokens
      streamasr serve --wyoming-host 0.0.0.0 --insecure
    """
    flags: dict[str, Any] = {
        "server.host": host,
        "server.port": port,
        "server.model": model,
        "server.device": device and device.value,
        "server.decoder": decoder and decoder.value,
        "server.threads": threads,
        "server.workers": workers,
        "limits.sessions": max_sessions,
        "server.token_file": token_file,
        "server.tls_cert": tls_cert,
        "server.tls_key": tls_key,
        "server.wyoming_host": wyoming_host,
        "server.wyoming_port": wyoming_port,
        "server.insecure": insecure,
    }
    if code := keep_serving(settings_reader(config, flags, hotwords)):
        raise typer.Exit(code)


def settings_reader(config: Path | None, flags: dict[str, Any], hotwords: str | None) -> Reread:
    """What reads the settings, now and at SIGHUP: the files anew, the environment as it is."""
    environ = dict(os.environ)  # what systemd says of sockets is no setting of ours

    def read() -> Settings:
        hot = {"stream.hotwords": hotword_texts(hotwords) or None}
        return load(path=config, environ=environ, flags=flags | hot)

    return read


def keep_serving(read: Reread) -> int:
    """Serve in this process, or in several with this one above them; the exit code."""
    settings = read()
    if settings.server.workers == 1:
        return work(settings, reread=read)
    from streamasr.edge.supervisor import supervise

    _set_up_logging(settings)
    return supervise(settings, work, read)


def work(settings: Settings, link: Link | None = None, reread: Reread | None = None) -> int:
    """Serve with these settings, with a link as one of several workers; the exit code."""
    from streamasr.edge.pages import demo_routes
    from streamasr.edge.server import run

    _set_up_logging(settings)
    _parse_hotwords(settings)  # refused before anything is loaded
    return run(settings, open_engine_of, demo_routes(WEB), link, reread)


def _set_up_logging(settings: Settings) -> None:
    """As the settings say, but as loud as ``-v`` or ``-q`` made it."""
    server = settings.server
    level = getattr(logging, server.log_level.upper())
    set_up_logging(level, force=False, as_json=server.log_format == "json")


def open_engine_of(settings: Settings) -> Engine:
    """Open the engine of these settings; called in the engine's own thread."""
    from streamasr.core.hotwords import heat_known
    from streamasr.core.options import decoder_name
    from streamasr.edge.bundle import find
    from streamasr.edge.engines import open_engine

    server = settings.server
    hotwords = _parse_hotwords(settings)
    engine = open_engine(
        find(server.model),
        device=server.device,
        threads=server.threads,
        capacity=settings.limits.sessions,
        decoder=decoder_name(server.decoder),
    )
    heat_known(engine.facts.graph, hotwords)  # refused now rather than in each session
    return engine


def _parse_hotwords(settings: Settings) -> list[HotWord]:
    from streamasr.core.hotwords import HotWord

    return [HotWord.parse(text) for text in settings.stream.hotwords]
