import json
from pathlib import Path

import pytest

from streamasr.app.cli import run


def evaluate(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["eval", *args])
    return int(leaving.value.code or 0)


def test_a_corpus_gives_a_table_a_json_line_and_every_hypothesis(
    tone_corpus: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "hypotheses.jsonl"
    corpus = str(tone_corpus / "tones")
    args = ["--model", str(tiny_bundle), "--split", "dev", "--limit", "3", "--out", str(out)]
    assert evaluate(corpus, *args) == 0
    captured = capsys.readouterr()
    assert captured.err == "", "no progress where there is no terminal"
    head, row, last = captured.out.splitlines()
    assert "SUBSTITUTIONS" in head
    assert " .. " in row
    summary = json.loads(last)
    assert {"wer", "cer", "utterances", "audio_s", "rtf", "model"} <= set(summary)
    assert summary["utterances"] == 3
    assert len(out.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--snr", "10"], "--snr and --noise belong together"),
        (["--split", "nothing"], "nothing to decode"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    args: list[str], fault: str, tone_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(str(tone_corpus / "tones"), *args) == 2
    assert fault in capsys.readouterr().err


def test_a_folder_without_a_manifest_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(str(tmp_path)) == 2
    assert "manifest.tsv" in capsys.readouterr().err
