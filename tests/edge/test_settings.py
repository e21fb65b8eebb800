from pathlib import Path

import pytest

from streamasr.core.options import StreamOptions
from streamasr.edge.bundle import DEFAULT_MODEL
from streamasr.edge.settings import Settings, is_loopback, load, table
from streamasr.errors import ConfigError


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "streamasr.toml"
    path.write_text(
        '[server]\nport = 1\nmodel = "file"\norigins = ["https://a"]\n[limits]\nidle_s = 7\n'
    )
    return path


def test_defaults_are_complete_and_legal() -> None:
    assert load() == Settings()
    for setting in table():
        assert setting.check(setting.default, "the defaults") == setting.default
        assert setting.help


def test_defaults_of_streams_are_those_of_the_core() -> None:
    core = StreamOptions()
    for name in ("endpoint_ms", "max_utterance_s", "vad"):
        assert getattr(Settings().stream, name) == getattr(core, name)


def test_flags_win_over_environment_over_file_over_defaults(toml: Path) -> None:
    environ = {"STREAMASR_SERVER_PORT": "2", "STREAMASR_SERVER_THREADS": "3", "PATH": "/bin"}
    settings = load(path=toml, environ=environ, flags={"server.threads": 4, "server.host": None})
    assert settings.server.host == "127.0.0.1"
    assert settings.server.model == "file"
    assert settings.server.port == 2
    assert settings.server.threads == 4
    assert settings.limits.idle_s == 7.0
    assert settings.server.origins == ("https://a",)


def test_environment_can_name_the_file(toml: Path) -> None:
    assert load(environ={"STREAMASR_CONFIG": str(toml)}).server.model == "file"


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("STREAMASR_STREAM_VAD", "No", False),
        ("STREAMASR_SERVER_INSECURE", "1", True),
        ("STREAMASR_SERVER_ORIGINS", "https://a, https://b", ("https://a", "https://b")),
        ("STREAMASR_LIMITS_DRAIN_S", "2.5", 2.5),
        ("STREAMASR_LIMITS_SESSIONS", "3", 3),
    ],
)
def test_environment_is_read_in_the_type_of_the_setting(
    variable: str, text: str, value: object
) -> None:
    settings = load(environ={variable: text})
    (name,) = [s.name for s in table() if s.variable == variable]
    section, field = name.split(".")
    assert getattr(getattr(settings, section), field) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[server]\nprot = 1\n", r"server\.prot, which does not exist \(did you mean server\.port"),
        ("[sever]\nport = 1\n", r"sever\.port"),
        ("port = 1\n", "sets port"),
        ("[server]\nport = 70000\n", r"server\.port is 70000 in .*whole number from 0 to 65535"),
        ('[server]\nport = "x"\n', "must be a whole number"),
        ("[server]\nport = true\n", "must be a whole number"),
        ('[server]\ndevice = "tpu"\n', "one of auto, cpu, cuda"),
        ("[server]\norigins = [1]\n", "a list of texts"),
        ("[limits]\nidle_s = nan\n", "a number of at least 0.1"),
        ("[stream]\nvad = 1\n", "true or false"),
        ("[server\n", "not valid TOML"),
    ],
)
def test_a_wrong_file_names_setting_and_remedy(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=fault):
        load(path=path)


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"STREAMASR_PORT": "1"}, "sets STREAMASR_PORT, which does not exist"),
        ({"STREAMASR_SERVER_PORT": "x"}, "STREAMASR_SERVER_PORT"),
        ({"STREAMASR_STREAM_VAD": "maybe"}, "true or false"),
        ({"STREAMASR_CONFIG": "/does/not/exist.toml"}, "cannot read /does/not/exist.toml"),
    ],
)
def test_a_wrong_environment_is_an_error(environ: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load(environ=environ)


def test_an_unknown_flag_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"the flags sets server\.x"):
        load(flags={"server.x": 1})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_other_machines_need_tokens_or_a_clear_word(host: str) -> None:
    with pytest.raises(ConfigError, match="--token-file"):
        load(flags={"server.host": host})
    load(flags={"server.host": host, "server.insecure": True})
    load(flags={"server.host": host, "server.token_file": "tokens"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_this_machine_needs_no_tokens(host: str) -> None:
    assert is_loopback(host)
    assert load(flags={"server.host": host}).is_local


@pytest.mark.parametrize("given", ["cert", "key"])
def test_certificate_and_key_come_together(given: str) -> None:
    with pytest.raises(ConfigError, match="needs"):
        load(flags={f"server.tls_{given}": "x.pem"})


def test_the_default_model_is_the_one_that_is_shipped() -> None:
    assert Settings().server.model == DEFAULT_MODEL
