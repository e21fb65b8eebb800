import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamasr.app.cli import run
from streamasr.app.commands.transcribe import raw_format
from streamasr.errors import AudioFormatError, UsageError

DATA = Path(__file__).parent.parent / "data"
CLIPS = sorted(str(path) for path in DATA.glob("*.flac"))


def transcribe(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["transcribe", *args])
    return int(leaving.value.code or 0)


def test_clips_are_transcribed_by_a_model_of_a_folder(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert transcribe("--model", str(tiny_bundle), "--format", "json", *CLIPS) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["file"] for record in records] == CLIPS
    assert all(record["segments"] for record in records)
    assert [record["duration_s"] for record in records] == pytest.approx([4.3, 4.9, 4.9], abs=0.1)


def test_punctuate_writes_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe("--punctuate", "--decoder", "greedy", CLIPS[1]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0][0].isupper()
    assert lines[-1][-1] in ".?"
    assert transcribe("--punctuate", "--decoder", "greedy", "--format", "json", CLIPS[1]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["text"] == " ".join(lines)
    words = [word["word"] for each in record["segments"] for word in each["words"]]
    assert words == record["text"].split()


def test_a_failed_file_makes_the_exit_code_1(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert transcribe("--model", str(tiny_bundle), "none.wav", CLIPS[0]) == 1
    captured = capsys.readouterr()
    assert captured.err == "streamasr: none.wav: no such file (check the name)\n"
    assert captured.out


def test_a_model_that_is_not_there_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe("--model", "no-such-model", CLIPS[0]) == 1
    assert "no model named 'no-such-model'" in capsys.readouterr().err


def test_a_pipe_of_raw_audio_and_a_file_give_the_same_text(tiny_bundle: Path) -> None:
    import soundfile

    samples, rate = soundfile.read(CLIPS[0], dtype="int16")
    command = [sys.executable, "-m", "streamasr", "transcribe", "--model", str(tiny_bundle)]
    piped = subprocess.run(
        [*command, "--rate", str(rate), "-"],
        input=samples.tobytes(),
        capture_output=True,
        check=True,
    )
    of_file = subprocess.run([*command, CLIPS[0]], capture_output=True, check=True)
    assert piped.stdout == of_file.stdout != b""
    assert piped.stderr == b"", "piped: no partials, no progress"


def test_a_raw_format_needs_its_rate() -> None:
    assert raw_format(None, None, None) is None
    with pytest.raises(UsageError, match="add --rate"):
        raw_format(None, "mulaw", None)
    with pytest.raises(UsageError, match="add --rate"):
        raw_format(None, None, 2)


def test_a_raw_format_that_cannot_be_is_refused_before_the_model_is_loaded() -> None:
    with pytest.raises(AudioFormatError, match="unknown encoding"):
        raw_format(16_000, "mp3", None)
    with pytest.raises(AudioFormatError, match="sample_rate"):
        raw_format(10, None, None)
    with pytest.raises(AudioFormatError, match="channels"):
        raw_format(16_000, None, 0)
    assert transcribe("--rate", "10", "-") == 2
