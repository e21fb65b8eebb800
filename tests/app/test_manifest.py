from pathlib import Path

import pytest

from streamasr.app.manifest import choose, read_manifest, select, thin_out
from streamasr.errors import ConfigError, UsageError

HEADER = "id\tpath\tduration_s\tspeaker\tsplit\ttext\n"


def corpus(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.tsv").write_text(text)
    return folder


def test_rows_become_utterances(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "c", HEADER + 'u1\taudio/u1.opus\t1.5\tann\tdev\tSay "hi"\n')
    (utterance,) = read_manifest(folder)
    assert utterance.path == folder / "audio/u1.opus"
    assert (utterance.duration_s, utterance.split, utterance.corpus) == (1.5, "dev", "c")
    assert utterance.text == 'Say "hi"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\tpath\nx\ty\n", "lacks the columns duration_s"),
        (HEADER + "u1\ta\tlong\ts\tdev\tt\n", r"manifest\.tsv:2: duration_s is 'long'"),
    ],
)
def test_a_bad_manifest_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_manifest(corpus(tmp_path / "c", text))


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no manifest\.tsv in"):
        read_manifest(tmp_path)


def test_splits_are_chosen_per_corpus(tmp_path: Path) -> None:
    rows = "".join(f"{s}\ta\t1\tx\t{s}\tt\n" for s in ("train", "dev", "test"))
    corpus(tmp_path / "a", HEADER + rows)
    corpus(tmp_path / "b", HEADER + rows)
    chosen = select(tmp_path, ["a", "b:train,test"], ["train"])
    assert [(u.corpus, u.id) for u in chosen] == [("a", "train"), ("b", "train"), ("b", "test")]


def test_a_split_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    rows = "".join(f"{s}\ta\t1\tx\t{s}\tt\n" for s in ("train", "dev", "dev"))
    utterances = read_manifest(corpus(tmp_path / "a", HEADER + rows))
    assert choose(utterances) == utterances
    assert [u.id for u in choose(utterances, split="dev", limit=1)] == ["dev"]
    with pytest.raises(UsageError, match="dev, train"):
        choose(utterances, split="test")
    with pytest.raises(UsageError, match="no utterances"):
        choose([])


def test_thinning_out_spreads_over_the_whole_list(tmp_path: Path) -> None:
    rows = "".join(f"u{i}\ta\t1\tx\tdev\tt\n" for i in range(10))
    utterances = read_manifest(corpus(tmp_path / "a", HEADER + rows))
    assert [u.id for u in thin_out(utterances, 4)] == ["u0", "u2", "u5", "u7"]
    assert thin_out(utterances, 99) == thin_out(utterances, None) == utterances
