from __future__ import annotations

from pathlib import Path

import pytest

from streamasr.edge.lm.lexicon import WordFinder, read_cmudict, read_lexicon, write_lexicon
from streamasr.errors import BundleError, ConfigError

CMU = """\
;;; a comment
'bout B AW1 T
read R EH1 D
read(2) R IY1 D
read(3) R IY0 D
hyphen-ated HH AY
3d TH R IY D IY
"""


def test_stress_variants_and_odd_words(tmp_path: Path) -> None:
    file = tmp_path / "cmu.dict"
    file.write_text(CMU)
    assert read_lexicon(file) == {
        "'bout": [("B", "AW", "T")],
        "read": [("R", "EH", "D"), ("R", "IY", "D")],
    }


@pytest.mark.parametrize("name", ["lexicon.txt", "lexicon.txt.gz", "lexicon.txt.xz"])
def test_a_lexicon_survives_the_round_trip(tmp_path: Path, name: str) -> None:
    lexicon = {"b": [("B", "IY")], "a": [("AH",), ("EY",)]}
    write_lexicon(lexicon, tmp_path / name)
    assert read_lexicon(tmp_path / name) == lexicon


def test_unknown_phones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.dict"
    file.write_text("a QQ\n")
    with pytest.raises(BundleError, match="QQ"):
        read_lexicon(file)


def test_a_missing_dictionary_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.dict"):
        read_lexicon(tmp_path / "none.dict")


def test_the_packaged_dictionary_is_large_and_plain() -> None:
    lexicon = read_cmudict()
    assert len(lexicon) > 100_000
    assert ("HH", "AH", "L", "OW") in lexicon["hello"]


def test_words_are_found_in_a_file_without_reading_all(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.txt.gz"
    write_lexicon({"a": [("AH",), ("EY",)], "an": [("AE", "N")], "b": [("B",)]}, file)
    finder = WordFinder(file)
    assert finder.find(["a", "b", "n", "zork"]) == {"a": [("AH",), ("EY",)], "b": [("B",)]}
    assert finder.find([]) == {}


def test_all_words_of_a_lexicon_are_found_and_none_beside(tmp_path: Path) -> None:
    said = {word: [("B",), ("AA", "B")] for word in ("zz", "b", "b'", "a", "a's", "ab", "ba")}
    write_lexicon(said, tmp_path / "lexicon.txt")
    finder = WordFinder(tmp_path / "lexicon.txt")
    assert finder.find(said) == said
    assert finder.find(["", "'", "aa", "ac", "z", "zzz", "ab b"]) == {}
    (tmp_path / "empty.txt").touch()
    assert WordFinder(tmp_path / "empty.txt").find(["a"]) == {}
