"""The daemon's settings: one frozen tree, each value from the last place that names it.

    defaults  ->  a TOML file  ->  environment STREAMASR_*  ->  flags

    settings = load(path=Path("streamasr.toml"), environ=os.environ, flags={"server.port": 2701})

The dotted name ``limits.idle_s`` is ``idle_s`` in the table ``[limits]`` of the file and
STREAMASR_LIMITS_IDLE_S in the environment. A name that does not exist is an error.
Facts of a model (its rate, its latency) are no settings; they live in its bundle.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from streamasr.errors import ConfigError

PREFIX = "STREAMASR_"
CONFIG_VARIABLE = "STREAMASR_CONFIG"
"""Names the TOML file; ``--config`` wins over it."""


def _setting(
    default: Any,
    help: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(
        default=default, metadata={"help": help, "low": low, "high": high, "choices": choices}
    )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, who may come in, and what to run."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(2700, "TCP port; 0 takes a free one", low=0, high=65_535)
    model: str = _setting("en-small", "name or folder of the model")
    device: str = _setting("auto", "what runs the model", choices=("auto", "cpu", "cuda"))
    decoder: str = _setting(
        "auto", "what makes words of its answers", choices=("auto", "greedy", "graph")
    )
    threads: int = _setting(1, "CPU threads of the engine", low=1, high=256)
    workers: int = _setting(
        1, "processes that share the port, each with an engine", low=1, high=256
    )
    token_file: str = _setting("", "file of tokens, one a line, plain or as sha256:HEX")
    insecure: bool = _setting(False, "listen beyond this machine without tokens")
    tls_cert: str = _setting("", "certificate chain, PEM")
    tls_key: str = _setting("", "private key of the certificate, PEM")
    wyoming_host: str = _setting(
        "127.0.0.1", "address for Wyoming, which knows no tokens: others need server.insecure"
    )
    wyoming_port: int = _setting(
        10_300, "TCP port for Wyoming; 0 takes a free one, -1 is none", low=-1, high=65_535
    )
    origins: tuple[str, ...] = _setting((), "web origins that may connect besides our own")
    log_level: str = _setting(
        "info", "least severe line to log", choices=("debug", "info", "warning", "error")
    )
    log_format: str = _setting(
        "text", "lines of the log as text, or each as a JSON object", choices=("text", "json")
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What one session, and all of them together, may take."""

    sessions: int = _setting(256, "sessions at a time; more are refused with 503", low=1)
    client_sessions: int = _setting(
        0, "sessions at a time from one address (of IPv6: a /64), in each worker; 0 is any", low=0
    )
    calibrated: bool = _setting(True, "refuse what this machine was measured not to carry, too")
    message_bytes: int = _setting(
        1_048_576, "longest audio message in bytes", low=1024, high=64 * 1024 * 1024
    )
    inbox_s: float = _setting(
        2.0, "seconds of audio taken ahead of recognition before reading stops", low=0.1, high=60
    )
    outbox_events: int = _setting(
        64, "events waiting for a slow client before reading its audio stops", low=1
    )
    request_s: float = _setting(
        20.0, "seconds a connection may take to ask for something until it is cut", low=0.1
    )
    idle_s: float = _setting(300.0, "seconds without any message until the session ends", low=0.1)
    stall_s: float = _setting(
        20.0, "seconds a client may leave what we send unread until it is cut off", low=0.1
    )
    session_s: float = _setting(14_400.0, "longest session in seconds", low=1)
    drain_s: float = _setting(
        15.0, "seconds that open sessions get to finish after SIGTERM", low=0.1
    )


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How speech is cut into utterances unless a client asks otherwise."""

    endpoint_ms: int = _setting(
        400, "milliseconds of silence that end an utterance", low=120, high=10_000
    )
    max_utterance_s: float = _setting(
        30.0, "longest utterance in seconds; then it is cut and goes on", low=1, high=120
    )
    vad: bool = _setting(True, "recognise only where there is a voice")
    hotwords: tuple[str, ...] = _setting((), "words and phrases to expect, some with :BOOST")
    punctuate: bool = _setting(False, "give finals marks and capitals")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set."""

    server: ServerSettings = field(default_factory=ServerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the daemon."""
        return is_loopback(self.server.host)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str
    """Dotted: ``limits.idle_s``."""
    default: Any
    help: str
    low: float
    high: float
    choices: tuple[str, ...]

    @property
    def variable(self) -> str:
        return PREFIX + self.name.replace(".", "_").upper()

    def check(self, value: Any, source: str) -> Any:
        """Return the value in its own type; raises ConfigError naming setting and source."""
        wanted = type(self.default)
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is tuple and type(value) is list:
            value = tuple(value)
        if type(value) is not wanted or (
            wanted is tuple and not all(type(item) is str for item in value)
        ):
            self._refuse(value, source, KINDS[wanted])
        if self.choices and value not in self.choices:
            self._refuse(value, source, "one of " + ", ".join(self.choices))
        if wanted in (int, float) and not self.low <= value <= self.high:
            self._refuse(value, source, self._range())
        return value

    def parse(self, text: str, source: str) -> Any:
        """Read the value from the environment; a list is separated by commas."""
        wanted = type(self.default)
        try:
            if wanted is bool:
                return TRUTHS[text.strip().lower()]
            if wanted is tuple:
                return tuple(item.strip() for item in text.split(",") if item.strip())
            return wanted(text)
        except (ValueError, KeyError):
            self._refuse(text, source, KINDS[wanted])

    def _range(self) -> str:
        kind = KINDS[type(self.default)]
        if math.isinf(self.high):
            return f"{kind} of at least {self.low:g}"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def _refuse(self, value: Any, source: str, expected: str) -> Any:
        raise ConfigError(
            f"{self.name} is {value!r} in {source}", remedy=f"{self.name} must be {expected}"
        )


KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
}
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def table() -> Iterator[Setting]:
    """Yield every setting there is, in the order of the tree."""
    for section in fields(Settings):
        for item in fields(section.default_factory):  # type: ignore[arg-type]
            yield Setting(name=f"{section.name}.{item.name}", default=item.default, **item.metadata)


def load(
    *,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Put the settings together; a flag that is None was not given.

    Raises ConfigError for an unknown name, a wrong value, a file that cannot be read, and
    for settings that contradict each other.
    """
    environ = environ or {}
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    known = {setting.name: setting for setting in table()}
    values: dict[str, Any] = {}
    if path is not None:
        values.update(_from_file(path, known))
    values.update(_from_environment(environ, known))
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _find(name, known, "the flags").check(value, "the flags")
    settings = _build(values)
    check(settings)
    return settings


def _from_file(path: Path, known: Mapping[str, Setting]) -> Iterator[tuple[str, Any]]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for section, content in tree.items():
        if not isinstance(content, dict):
            _find(section, known, str(path))
            continue
        for name, value in content.items():
            setting = _find(f"{section}.{name}", known, str(path))
            yield setting.name, setting.check(value, str(path))


def _from_environment(
    environ: Mapping[str, str], known: Mapping[str, Setting]
) -> Iterator[tuple[str, Any]]:
    variables = {setting.variable: setting for setting in known.values()}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        setting = _find(variable, variables, "the environment")
        value = setting.parse(text, variable)
        yield setting.name, setting.check(value, variable)


def _find(name: str, known: Mapping[str, Setting], source: str) -> Setting:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    raise ConfigError(
        f"{source} sets {name}, which does not exist",
        remedy=f"did you mean {close[0]}?" if close else "see docs/OPERATIONS.md",
    )


def _build(values: Mapping[str, Any]) -> Settings:
    sections: dict[str, dict[str, Any]] = {item.name: {} for item in fields(Settings)}
    for dotted, value in values.items():
        section, name = dotted.split(".")
        sections[section][name] = value
    return Settings(
        server=ServerSettings(**sections["server"]),
        limits=LimitSettings(**sections["limits"]),
        stream=StreamSettings(**sections["stream"]),
    )


def check(settings: Settings) -> None:
    """Raise ConfigError for settings that contradict each other."""
    server = settings.server
    if bool(server.tls_cert) != bool(server.tls_key):
        given, missing = ("cert", "key") if server.tls_cert else ("key", "cert")
        raise ConfigError(f"server.tls_{given} needs server.tls_{missing} too")
    if not settings.is_local and not server.token_file and not server.insecure:
        raise ConfigError(
            f"{server.host} can be reached from other machines and no tokens are set",
            remedy="give --token-file FILE, or --insecure if anybody may use this server",
        )
    if server.wyoming_port >= 0 and not is_loopback(server.wyoming_host) and not server.insecure:
        raise ConfigError(
            f"Wyoming on {server.wyoming_host} would let other machines in without tokens",
            remedy="set server.insecure if anybody may use this server",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only; names other than localhost do not.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
