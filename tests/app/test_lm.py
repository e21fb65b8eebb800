from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streamasr.app.cli import run
from streamasr.edge import bundle
from tests.conftest import DATA, MORE_SENTENCES


def code_of(*args: object) -> int:
    with pytest.raises(SystemExit) as left:
        run([str(arg) for arg in args])
    return int(left.value.code or 0)


def test_from_text_to_a_model_that_uses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("\n".join(MORE_SENTENCES) + "\n")
    (tmp_path / "held.txt").write_text("they will say what time it was\n")
    language, model = tmp_path / "lm", tmp_path / "mine"
    text, held = tmp_path / "text.txt", tmp_path / "held.txt"
    assert code_of("lm", "build", text, "--out", language, "--held-out", held) == 0
    assert "held out: perplexity" in capsys.readouterr().out
    shutil.copytree(DATA.parents[1] / "models" / "en-small", model)
    assert code_of("lm", "add", model, language, "--audio", DATA / "163-122947-0014.flac") == 0
    assert bundle.load(model).has_language_model
    manifest = "id\tpath\tduration_s\tspeaker\tsplit\ttext\n"
    (tmp_path / "manifest.tsv").write_text(
        f"u\t{DATA}/163-122947-0014.flac\t4.3\ts\tdev\tfor they get the better\n".join(
            [manifest, ""]
        )
    )
    assert code_of("lm", "tune", model, tmp_path, "--split", "dev") == 0
    assert "acoustic_scale=" in capsys.readouterr().out
    assert bundle.load(model).info["graph"]["search"]["beam"] == 12.0


def test_wrong_calls_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a\n")
    out = ("--out", tmp_path / "lm")
    assert code_of("lm", "build", tmp_path / "none.txt", *out) == 2
    assert "no such file" in capsys.readouterr().err
    assert code_of("lm", "build", text, *out, "--mix", f"{tmp_path}/other.txt:0.1") == 2
    assert "no such file" in capsys.readouterr().err
    assert code_of("lm", "build", text, *out, "--mix", "other.txt") == 2
    assert "TEXT,...:WEIGHT" in capsys.readouterr().err
    assert code_of("lm") == 2
