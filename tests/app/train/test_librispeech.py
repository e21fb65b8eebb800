"""The LibriSpeech recipes on three utterances in its own folders, from alignment to dev error."""

import json
import re
from pathlib import Path

import pytest

from streamasr.app.cli import run
from streamasr.app.train.config import load_recipe
from streamasr.app.train.corpora import gather
from tests.app.train.test_parallel import torchrun
from tests.conftest import DATA

RECIPE = Path(__file__).parents[3] / "recipes" / "librispeech-100h.toml"
ROWS = [line.split("|") for line in (DATA / "README.md").read_text().splitlines()]
CLIPS = {r[1].strip(): r[4].strip() for r in ROWS if len(r) > 4 and ".flac" in r[1]}
SMALL = {
    "epochs": "2", "batch_s": "5", "workers": "0", "width": "16", "layers": "3", "units": "32",
}  # fmt: skip


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    """DATA/LibriSpeech with two utterances to train on and one for dev."""
    for number, (clip, text) in enumerate(sorted(CLIPS.items())):
        name = clip.removesuffix(".flac")
        speaker, chapter, _ = name.split("-")
        subset = "train-clean-100" if number < 2 else "dev-clean"
        folder = tmp_path / "LibriSpeech" / subset / speaker / chapter
        folder.mkdir(parents=True)
        (folder / clip).write_bytes((DATA / clip).read_bytes())
        (folder / f"{speaker}-{chapter}.trans.txt").write_text(f"{name} {text.upper()}\n")
    return tmp_path


def test_the_recipes_find_their_data_in_librispeechs_folders(librispeech: Path) -> None:
    train, dev = gather(load_recipe(RECIPE).data, librispeech)
    assert [u.corpus for u in train] == ["train-clean-100"] * 2
    assert [u.corpus for u in dev] == ["dev-clean"]
    assert train[0].text.lower() in CLIPS.values()


@pytest.mark.slow
def test_two_processes_train_on_what_was_aligned(librispeech: Path, tmp_path: Path) -> None:
    (librispeech / "align").mkdir()
    for subset in ("train-clean-100", "dev-clean"):
        out = librispeech / "align" / f"{subset}.jsonl.gz"
        with pytest.raises(SystemExit, match="0"):
            run(["align", "en-small", str(librispeech / "LibriSpeech" / subset), "--out", str(out)])
    text = RECIPE.read_text()
    for name, value in SMALL.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    torchrun(librispeech, tmp_path / "run", recipe)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    assert all(row["train_phone"] > 0 for row in rows), "the alignments gave targets"
    assert all(row["dev_phone_accuracy"] > 0 for row in rows)
