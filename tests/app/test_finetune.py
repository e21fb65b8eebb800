"""The verb: what it refuses, what it installs, and how that is undone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamasr.app.cli import run
from streamasr.app.finetune import personal
from streamasr.edge import portaudio
from streamasr.edge.bundle import find
from tests.app.finetune.conftest import (  # noqa: F401
    all_fits,
    home,
    little_is_enough,
    record,
    small_bundle,
)
from tests.edge.fake_sound import FakeSoundDevice

pytestmark = pytest.mark.timeout(300)


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["finetune", *args])
    return int(leaving.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, little_is_enough: None) -> str:  # noqa: F811
    return str(record(tmp_path / "speech"))


def test_a_model_is_made_installed_only_where_it_is_better_and_undone(
    folder: str,
    small_bundle: Path,  # noqa: F811
    home: Path,  # noqa: F811
    all_fits: None,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = [folder, "--name", "ada", "--model", str(small_bundle)]
    assert code_of(*args, "--threads", "1") == 1, "neither writes anything"
    said = capsys.readouterr()
    assert "no better on held-back speech than small: it is not installed" in said.err
    assert said.out.splitlines()[-1].split() == ["greedy", "9", "100.0%", "100.0%"]
    assert not home.exists()
    assert code_of(*args, "--threads", "1", "--force") == 0
    assert "streamasr finetune --undo --name ada" in capsys.readouterr().out
    assert find("small-ada") == home / "small-ada"
    assert code_of("--undo", "--name", "ada", "--model", str(small_bundle)) == 0
    assert personal.personal_models() == []


@pytest.mark.parametrize(
    ("args", "code", "fault"),
    [
        ([], 2, "there is no speech to learn from (give a folder, --record or --dictated)"),
        (["--dictated"], 2, "there is no folder"),
        (["--dictated", "x"], 2, "--dictated is a folder of its own"),
        (["--dictated", "--record"], 2, "--dictated is a folder of its own"),
        (["none"], 2, "there is no folder none"),
        (["--undo"], 1, "no personal model named 'en-small-me'"),
        (["x", "--name", "../../etc"], 2, "cannot be a model's name"),
        (["x", "--name", ""], 2, "cannot be a model's name"),
        (["x", "--model", "nix"], 1, "no model named 'nix'"),
        (["--record", "--minutes", "0"], 2, ""),
    ],
)
def test_what_cannot_be_is_one_line(
    args: list[str],
    code: int,
    fault: str,
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of(*args) == code
    assert fault in capsys.readouterr().err


def test_a_model_that_cannot_be_adapted_is_told_before_anything_is_recorded(
    tiny_bundle: Path,
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of("--record", "--model", str(tiny_bundle)) == 1
    assert "tiny cannot be adapted: it lacks" in capsys.readouterr().err


def test_without_a_microphone_one_line_says_what_to_do(
    plain_bundle: Path,
    home: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(portaudio, "load", FakeSoundDevice)
    assert code_of("--record", "--model", str(plain_bundle)) == 1
    assert "no microphone found (plug one in" in capsys.readouterr().err


def test_without_torch_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    home: Path,  # noqa: F811
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert code_of("--record") == 1
    assert "streamasr[train]" in capsys.readouterr().err
