"""What is built is what people install: an sdist, a wheel from it, an empty environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "tests" / "data" / "1970-28415-0030.flac"


def run(*command: str | Path, **environ: str) -> str:
    kept = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=kept | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_manual_page_says_what_the_command_line_does() -> None:
    written = (ROOT / "docs" / "man" / "streamasr.1").read_text()
    page = run(sys.executable, ROOT / "scripts" / "man-page", COLUMNS="80")
    assert page == written, "make man"


@pytest.mark.parametrize(
    ("shell", "environ"),
    [
        ("bash", {"COMP_WORDS": "streamasr serve --tok", "COMP_CWORD": "2"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "streamasr serve --tok"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "streamasr serve --tok",
                  "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)  # fmt: skip
def test_shells_are_told_how_a_word_goes_on(shell: str, environ: dict[str, str]) -> None:
    asked = environ | {"_STREAMASR_COMPLETE": f"complete_{shell}"}
    said = run(sys.executable, "-m", "streamasr", **asked)
    assert "--token-file" in said
    assert "--port" not in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_of_the_sdist_works_in_an_empty_environment(tmp_path: Path) -> None:
    run(ROOT / "scripts" / "dist", tmp_path, sys.executable)
    (sdist,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    assert "manylinux" in wheel.name
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"LICENSE", "streamasr/core/search.c", "models/en-small/model.onnx"} <= names
        assert {"systemd/streamasr.toml", "Dockerfile", "deploy/haproxy/haproxy.cfg"} <= names
        assert not {name for name in names if name.startswith(("runs/", ".git/", ".venv/"))}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert {
            "streamasr/models/en-small/model.onnx",
            "streamasr/models/en-punctuation/punctuation.onnx",
            "streamasr/core/search.c",
        } <= names
        assert not {name for name in names if name.startswith("tests")}
    empty = tmp_path / "empty"
    run(sys.executable, "-m", "venv", empty)
    run(empty / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    program, cache = empty / "bin" / "streamasr", str(tmp_path / "cache")
    assert "en-small" in run(program, "models", XDG_CACHE_HOME=cache)
    text = run(program, "transcribe", CLIP, XDG_CACHE_HOME=cache)
    assert len(text.split()) >= 5
    assert (empty / "share" / "man" / "man1" / "streamasr.1").is_file()
