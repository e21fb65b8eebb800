import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from streamasr import __version__
from streamasr.app.cli import VERBS, boundary, run
from streamasr.errors import (
    BundleError,
    ConfigError,
    DeviceError,
    MissingExtra,
    StreamasrError,
    UsageError,
)

CLIP = Path(__file__).parent.parent / "data" / "163-122947-0014.flac"


@pytest.fixture(autouse=True)
def kept_logging() -> Iterator[None]:
    """The verbs set up logging for a process that ends; the tests' goes on."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(list(args))
    return int(leaving.value.code or 0)


def spawn(command: str) -> subprocess.CompletedProcess[str]:
    """A shell line in which ``streamasr`` is this program."""
    line = command.replace("streamasr", f"{sys.executable} -m streamasr")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=50)


def test_help_lists_every_verb_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--help") == 0
    out = capsys.readouterr().out
    for verb, summary in VERBS.items():
        assert verb in out
        assert summary in out


def verb_function(verb: str) -> Any:
    """What a verb runs: a function, or a dictionary of those below it."""
    return getattr(import_module(f"streamasr.app.commands.{verb}"), verb)


GROUPS = [verb for verb in VERBS if isinstance(verb_function(verb), dict)]
SINGLE = [verb for verb in VERBS if verb not in GROUPS]
COMMANDS = [*SINGLE, *(f"{group} {name}" for group in GROUPS for name in verb_function(group))]


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(*verb.split(), "--help") == 0
    out = capsys.readouterr().out
    assert "Example" in out
    assert f"  streamasr {verb}" in out
    assert "--verbose" in out


@pytest.mark.parametrize("group", GROUPS)
def test_verbs_below_a_verb_are_listed(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(group, "--help") == 0
    out = capsys.readouterr().out
    assert VERBS[group] in out
    assert all(name in out for name in verb_function(group))


@pytest.mark.parametrize("verb", SINGLE)
def test_the_list_of_verbs_says_what_their_help_says(verb: str) -> None:
    assert verb_function(verb).__doc__.splitlines()[0] == VERBS[verb]


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from streamasr.app.cli import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'onnxruntime', 'soundfile', 'rich', 'asyncio'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("--version") == 0
    assert capsys.readouterr().out == f"streamasr {__version__}\n"


@pytest.mark.parametrize(
    "args", [[], ["nonsense"], ["transcribe"], ["transcribe", "--format", "x", "y"], ["--bad"]]
)
def test_wrong_usage_is_exit_code_2(args: list[str]) -> None:
    assert code_of(*args) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (ConfigError("c"), 2),
        (MissingExtra("sounddevice", "mic"), 1),
        (BundleError("b"), 1),
        (DeviceError("d"), 1),
        (StreamasrError("s"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_is_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as leaving, boundary():
        raise error
    assert leaving.value.exit_code == code
    assert capsys.readouterr().err == f"streamasr: {error}\n"


def test_an_error_that_nobody_thought_of_says_how_to_see_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as leaving, boundary():
        raise ZeroDivisionError("division by zero")
    assert leaving.value.exit_code == 1
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as leaving, boundary():
        raise KeyboardInterrupt
    assert leaving.value.exit_code == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "command", ["streamasr --help", "streamasr devices --json", "streamasr transcribe {0} {0}"]
)
def test_a_reader_that_leaves_is_no_reason_to_complain(command: str, tiny_bundle: Path) -> None:
    done = spawn(command.format(f"--model {tiny_bundle} {CLIP}") + " | true")
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("args", "level"),
    [
        (["-v", "models"], logging.INFO),
        (["models", "-v"], logging.INFO),
        (["models", "-vv"], logging.DEBUG),
        (["models", "-q"], logging.ERROR),
    ],
)
def test_verbosity_is_understood_before_and_after_the_verb(args: list[str], level: int) -> None:
    code_of(*args)
    assert logging.getLogger().level == level


def test_the_module_runs_as_the_command_does() -> None:
    done = spawn("streamasr --version")
    assert (done.returncode, done.stdout) == (0, f"streamasr {__version__}\n")


def test_every_module_of_a_verb_is_listed() -> None:
    folder = Path(import_module("streamasr.app.commands").__file__ or "").parent
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert modules == set(VERBS)
