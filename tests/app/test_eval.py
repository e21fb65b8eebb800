import json
from pathlib import Path

import pytest

from streamasr.app.cli import run
from tests.conftest import DATA


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
        (["--split", "nothing"], "the corpus has dev, train"),
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


def test_against_earlier_hypotheses_the_difference_is_told(
    tone_corpus: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "earlier.jsonl"
    args = [str(tone_corpus / "tones"), "--model", str(tiny_bundle), "--split", "dev"]
    assert evaluate(*args, "--out", str(out)) == 0
    entries = [json.loads(line) for line in out.read_text().splitlines()]
    perfect = [entry | {"hypothesis": entry["reference"]} for entry in entries]
    out.write_text("".join(json.dumps(entry) + "\n" for entry in perfect))
    capsys.readouterr()
    assert evaluate(*args, "--against", str(out)) == 0
    *shown, last = capsys.readouterr().out.splitlines()
    summary = json.loads(last)
    found = summary["comparison"]
    assert found["wer_against"] == 0.0
    assert found["difference"] == pytest.approx(summary["wer"], abs=1e-4)
    assert found["by_utterance"]["better"] == 0.0
    assert found["by_speaker"]["clusters"] == 4
    assert f"tiny less earlier.jsonl: {100 * summary['wer']:+.2f} points" in "\n".join(shown)


def test_against_itself_a_model_is_no_better(
    tone_corpus: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--model", str(tiny_bundle), "--against", str(tiny_bundle), "--split", "dev"]
    assert evaluate(str(tone_corpus / "tones"), *args) == 0
    shown = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("  tiny") for line in shown) == 2
    found = json.loads(shown[-1])["comparison"]
    assert (found["difference"], found["by_utterance"]["better"]) == (0.0, 0.5)


def test_the_shipped_model_beats_silence_on_real_speech(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line.split("|") for line in (DATA / "README.md").read_text().splitlines()]
    clips = [
        (r[1].strip(), r[3].strip(), r[4].strip()) for r in rows if len(r) > 4 and ".flac" in r[1]
    ]
    lines = ["id\tpath\tduration_s\tspeaker\tsplit\ttext"]
    for clip, seconds, text in clips:
        lines.append(f"{clip}\t{DATA / clip}\t{seconds}\t{clip[:4]}\tdev\t{text}")
    (tmp_path / "manifest.tsv").write_text("\n".join(lines) + "\n")
    silent = [{"id": clip, "reference": text, "hypothesis": ""} for clip, _, text in clips]
    mute = tmp_path / "mute.jsonl"
    mute.write_text("\n".join(json.dumps(entry) for entry in silent))
    assert evaluate(str(tmp_path), "--against", str(mute)) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["utterances"] == found["comparison"]["by_speaker"]["clusters"] == len(clips) == 3
    assert found["comparison"]["wer_against"] == 1.0
    assert found["comparison"]["by_utterance"]["high"] < -0.3
    assert found["comparison"]["by_speaker"]["better"] == 1.0
