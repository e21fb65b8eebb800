from pathlib import Path

import pytest

from streamasr.app.alignment import read_alignments
from streamasr.app.cli import run
from tests.conftest import DATA

CLIP = "1970-28415-0030"
TEXT = "THESE PEOPLE WILL ALSO BE SURPRISED THEY WILL SAY LORD"


def align(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["align", "en-small", *args])
    return int(leaving.value.code or 0)


def test_a_manifest_is_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.tsv").write_text(
        "id\tpath\tduration_s\tspeaker\tsplit\ttext\n"
        f"u\t{DATA / CLIP}.flac\t4.9\ts\tdev\t{TEXT}\n"
        f"v\tnowhere.flac\t4.9\ts\ttrain\t{TEXT}\n"
    )
    out = tmp_path / "mine.jsonl.gz"
    assert align(str(tmp_path), "--split", "dev", "--out", str(out)) == 0
    captured = capsys.readouterr()
    assert "1 of 1 utterances aligned" in captured.out
    assert captured.err == "", "no progress where there is no terminal"
    assert read_alignments(tmp_path, ["mine"])["mine", "u"].agrees_with(TEXT.lower())


def test_librispeechs_own_layout_is_read(tmp_path: Path) -> None:
    chapter = tmp_path / "LibriSpeech" / "train-clean-100" / "1970" / "28415"
    chapter.mkdir(parents=True)
    (chapter / f"{CLIP}.flac").write_bytes((DATA / f"{CLIP}.flac").read_bytes())
    (chapter / "1970-28415.trans.txt").write_text(f"{CLIP} {TEXT}\n")
    out = tmp_path / "train-clean-100.jsonl.gz"
    assert align(str(chapter.parent.parent), "--out", str(out)) == 0
    assert ("train-clean-100", CLIP) in read_alignments(tmp_path, ["train-clean-100"])


def test_nothing_to_align_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.tsv").write_text("id\tpath\tduration_s\tspeaker\tsplit\ttext\n")
    assert align(str(tmp_path), "--out", str(tmp_path / "x.gz")) == 2
    assert "the corpus has no utterances" in capsys.readouterr().err
