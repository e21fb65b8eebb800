import json
import shutil
from pathlib import Path

import pytest

from streamasr.app.cli import run
from streamasr.app.commands.models import describe, show, word_error_rates


@pytest.fixture
def here(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models in the current folder: one whole, one damaged."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("whole", "damaged"):
        shutil.copytree(tiny_bundle, tmp_path / "models" / name)
    (tmp_path / "models" / "damaged" / "units.txt").write_text("<blank>\na\n")
    return tmp_path


def test_models_are_listed_with_their_size_and_place(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(["models", "--json"])
    assert not leaving.value.code
    found = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    whole = found["whole"]
    assert whole["path"] == str(here / "models" / "whole")
    assert whole["bytes"] == sum(f.stat().st_size for f in Path(whole["path"]).iterdir())
    assert whole["latency_ms"] > 0
    assert whole["fault"] == ""


def test_a_damaged_model_is_listed_as_such(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = describe(here / "models" / "damaged")
    assert "units.txt is not the file" in facts["fault"]
    show([facts], as_json=False)
    assert "damaged: " in capsys.readouterr().out


def test_the_table_marks_the_default_and_shows_error_rates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = {
        "name": "en-small",
        "default": True,
        "path": "/m/en-small",
        "bytes": 12_345_678,
        "decoders": ["greedy", "graph"],
        "wer": {"test-clean": 0.0812},
        "fault": "",
    }
    show([model, model | {"name": "mine", "default": False, "wer": {}}], as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["NAME", "MB", "DECODERS", "WER", "PATH"],
        ["*", "en-small", "12.3", "greedy,", "graph", "test-clean", "8.1%", "/m/en-small"],
        ["mine", "12.3", "greedy,", "graph", "-", "/m/en-small"],
    ]


def test_no_model_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    show([], as_json=False)
    assert "no model found (" in capsys.readouterr().err


def test_error_rates_are_those_that_the_bundle_states() -> None:
    assert word_error_rates({}) == {}
    assert word_error_rates({"results": {"dev": {"wer": 0.1}, "note": "x"}}) == {"dev": 0.1}


def test_a_word_classifier_is_listed_with_its_words(
    word_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = describe(word_bundle)
    assert (facts["words"], facts["fault"]) == (["five", "right", "zero"], "")
    show([facts], as_json=False)
    row = capsys.readouterr().out.splitlines()[1].split()
    assert (row[0], row[2]) == ("three", "words")
