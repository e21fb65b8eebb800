from pathlib import Path

import pytest

from streamasr.app.cli import run


def dictate(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["dictate", *args])
    return int(leaving.value.code or 0)


@pytest.fixture(autouse=True)
def nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("word", ["start", "stop", "toggle", "cancel", "reload", "status"])
def test_without_an_instance_one_line_says_so(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dictate(word) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no dictation runs (start one with `streamasr dictate`" in line


@pytest.mark.parametrize(
    "args",
    [["--follow"], ["--push", "--once"], ["dance"], ["stop", "--follow"], ["kept", "--follow"]],
)
def test_what_cannot_be_is_wrong_usage(args: list[str]) -> None:
    assert dictate(*args) == 2


def test_a_recording_is_typed_to_standard_output(
    plain_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = Path(__file__).parents[2] / "data" / "1970-28415-0030.flac"
    args = ["--typing", "stdout", "--from", str(clip), "--model", str(plain_bundle)]
    assert dictate(*args, "--punctuation", "spoken") == 0
    out, err = capsys.readouterr()
    assert len(out.split()) > 5
    assert out[0].isupper()
    assert err == ""
    words = run_transcribe(clip, plain_bundle, capsys)
    assert words == out.strip().lower()
    assert dictate(*args) == 0
    marked = capsys.readouterr().out.strip()
    assert marked[-1] in ".,"
    assert marked.lower().replace(".", "").replace(",", "") == words


def run_transcribe(clip: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        run(["transcribe", str(clip), "--model", str(bundle)])
    return " ".join(capsys.readouterr().out.split())


def test_what_is_said_is_kept_where_it_is_asked_for_shown_and_forgotten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plain_bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    clip = Path(__file__).parents[2] / "data" / "1970-28415-0030.flac"
    args = ["--typing", "stdout", "--from", str(clip), "--model", str(plain_bundle)]
    args += ["--punctuation", "none"]
    assert dictate(*args) == 0
    assert not (tmp_path / "data").exists(), "nothing is kept without a word"
    capsys.readouterr()
    config = tmp_path / "streamasr" / "dictation.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("[learn]\nkeep = true\n[text]\ncapitals = false\n")
    assert dictate(*args) == 0
    typed, told = capsys.readouterr()
    assert "`streamasr dictate kept` shows it" in told, "the person is told each time"
    assert dictate("kept") == 0
    shown = capsys.readouterr().out
    rows = [line.split(maxsplit=2)[2] for line in shown.splitlines()[1:-1]]
    assert " ".join(rows) == typed.strip()
    assert "manifest.tsv" in shown
    assert dictate("forget") == 0
    assert "is deleted" in capsys.readouterr().out
    assert dictate("kept") == 0
    assert "nothing is kept in" in capsys.readouterr().out
