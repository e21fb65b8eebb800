import sys
from pathlib import Path

import pytest

from streamasr.app.cli import run


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(list(args))
    return int(leaving.value.code or 0)


def test_a_recipe_that_is_not_there_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(tmp_path / "none.toml")
    assert code_of("train", recipe, "--data", str(tmp_path), "--out", str(tmp_path / "run")) == 2
    assert "no such recipe" in capsys.readouterr().err


def test_a_folder_that_is_no_run_cannot_be_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of("export", str(tmp_path), str(tmp_path / "out"), "--audio", "a.flac") == 2
    assert "is no training run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["train", "r.toml", "--data", "d", "--out", "o"],
        ["export", "run", "out", "--audio", "a.flac"],
    ],
)
def test_without_torch_the_extra_is_named(
    args: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.startswith("streamasr.app.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert code_of(*args) == 1
    assert "streamasr[train]" in capsys.readouterr().err
