import io
import subprocess
import sys
from pathlib import Path

import pytest

from streamasr.app.cli import run

RECIPE = """
[data]
train = ["a.txt"]
dev = ["a.txt:1-2"]
[model]
embedding = 4
width = 8
[train]
epochs = 1
batch = 2
length = 8
"""


def punctuate(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["punctuate", *args])
    return int(leaving.value.code or 0)


def test_utterances_become_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "where do you live\nI LIVE IN london\n\nthank you very much\n"
    (tmp_path / "said.txt").write_text(said)
    assert punctuate("text", str(tmp_path / "said.txt")) == 0
    written = capsys.readouterr().out
    assert written == "Where do you live?\nI live in London.\n\nThank you very much.\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    assert punctuate("text") == 0
    assert capsys.readouterr().out == written


def test_a_model_is_trained_measured_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("Yes, it is Ada.\nIs it?\nIt is.\n" * 20)
    (tmp_path / "r.toml").write_text(RECIPE)
    out = str(tmp_path / "mine")
    assert punctuate("train", str(tmp_path / "r.toml"), "--data", str(tmp_path), "--out", out) == 0
    assert f"--model {out}" in capsys.readouterr().out
    assert punctuate("eval", str(tmp_path / "a.txt"), "--model", out) == 0
    assert "comma F1" in capsys.readouterr().out


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom streamasr.app.cli import run; run()\n"
    arguments = ["punctuate", "train", "r.toml", "--data", "d", "--out", "o"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "streamasr[train]" in done.stderr


def test_what_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert punctuate("text", "no-such-file") == 1
    assert "no-such-file" in capsys.readouterr().err
    assert punctuate("eval", "none.txt") == 2
    assert "no such text" in capsys.readouterr().err
    assert punctuate("text", "--model", "other") == 1
