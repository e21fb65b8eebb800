import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamasr.app.cli import app
from streamasr.app.commands.serve import open_engine_of
from streamasr.edge.settings import Settings, load
from streamasr.errors import BundleError, ConfigError


def serve(*flags: str, **environ: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", *flags], env=environ)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--port", "99999"], "server.port is 99999"),
        (["--max-sessions", "0"], "limits.sessions is 0"),
        (["--wyoming-port", "99999"], "server.wyoming_port is 99999"),
        (["--wyoming-host", "0.0.0.0"], "server.insecure"),
        (["--tls-cert", "x.pem"], "server.tls_key"),
        (["--config", "/nowhere.toml"], "cannot read /nowhere.toml"),
        (["--token-file", "/nowhere", "--port", "0"], "/nowhere"),
        (["--tls-cert", "/nowhere", "--tls-key", "/nowhere", "--port", "0"], "TLS certificate"),
    ],
)
def test_wrong_usage_is_one_line_and_2(flags: list[str], fault: str) -> None:
    code, output = serve(*flags)
    assert code == 2
    assert fault in output


def test_the_environment_is_read() -> None:
    code, output = serve(STREAMASR_SERVER_PROT="1")
    assert code == 2
    assert "did you mean STREAMASR_SERVER_PORT" in output


def test_a_port_in_use_is_1(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _ = serve("--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "Address already in use" in caplog.text


def test_the_engine_is_opened_as_set(tiny_bundle: Path) -> None:
    flags = {"server.model": str(tiny_bundle), "limits.sessions": 3, "server.device": "cpu"}
    engine = open_engine_of(load(flags=flags))
    assert engine.capacity == 3
    assert engine.facts.name == "tiny"


def test_hot_words_that_nobody_can_say_are_refused_at_start(
    graph_bundle: Path, tiny_bundle: Path
) -> None:
    def settings(model: Path, *hotwords: str) -> Settings:
        return load(flags={"server.model": str(model), "stream.hotwords": list(hotwords)})

    assert open_engine_of(settings(graph_bundle, "light:9")).facts.graph is not None
    with pytest.raises(ConfigError, match="xyzzy"):
        open_engine_of(settings(graph_bundle, "light", "xyzzy"))
    with pytest.raises(ConfigError, match="language model"):
        open_engine_of(settings(tiny_bundle, "light"))
    with pytest.raises(ConfigError, match="no number"):
        open_engine_of(settings(graph_bundle, "light:loud"))


def test_a_missing_model_is_told_when_it_is_opened() -> None:
    with pytest.raises(BundleError, match="no-such-model"):
        open_engine_of(load(flags={"server.model": "no-such-model"}))
