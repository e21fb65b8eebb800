import subprocess
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
        ["train", "r.toml", "--task", "classify", "--data", "d", "--out", "o"],
        ["export", "run", "out", "--audio", "a.flac"],
    ],
)
def test_without_torch_the_extra_is_named(args: list[str]) -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom streamasr.app.cli import run; run()\n"
    command = [sys.executable, "-c", code, *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "streamasr[train]" in done.stderr


def test_words_are_trained_and_exported_and_measured(
    tmp_path: Path,
    word_data: Path,
    word_cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe, out, model = tmp_path / "r.toml", tmp_path / "run", tmp_path / "model"
    recipe.write_text(
        "[data]\ntrain = ['words']\ntest = ['words']\nhold_out = 0.25\n"
        "[network]\nwidth = 16\nlayers = 1\n[train]\nepochs = 2\nbatch = 12\n"
        "[augment]\nroom_probability = 0.0\n[search]\nepochs = 1\nwidth = [8, 16]\n"
    )
    words = ["train", str(recipe), "--task", "classify", "--data", str(word_data)]
    words += ["--cache", str(word_cache), "--threads", "1", "--out", str(out)]
    assert code_of(*words, "--network", "gru", "--trials", "2") == 0
    table = capsys.readouterr().out
    assert table.split()[:6] == ["WORD", "RECORDINGS", "PRECISION", "RECALL", "five", "2"]
    assert "gru: " in table
    assert code_of("export", str(out), str(model)) == 0
    assert "probabilities are those of the trained model" in capsys.readouterr().out
    assert code_of("export", str(out), str(model), "--float") == 2
    assert "not for word classifiers" in capsys.readouterr().err
    assert code_of(*words, "--folds", "2") == 0
    assert "folds: " in capsys.readouterr().out
    assert code_of(*words, "--folds", "2", "--trials", "2") == 2
    assert "do not go together" in capsys.readouterr().err
    assert code_of(*words, "--network", "vgg") == 2
    assert "--network: network.kind is 'vgg'" in capsys.readouterr().err


def test_options_of_words_are_refused_for_speech(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["train", "r.toml", "--data", str(tmp_path), "--out", str(tmp_path), "--network", "gru"]
    assert code_of(*args) == 2
    assert "--network is for --task classify" in capsys.readouterr().err
