from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from streamasr.app.lm.sentences import HeldOut, read_sentences, spoken_words
from streamasr.errors import ConfigError

SECRET = "the quick brown fox jumps over the lazy dog"


def test_text_is_normalised_and_digits_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "text.txt.gz"
    with gzip.open(file, "wt") as out:
        out.write("Mrs. Long says so.\n\nChapter 3\nDR. SMITH, I presume?\n")
    assert read_sentences(file) == [
        ["missus", "long", "says", "so"], ["doctor", "smith", "i", "presume"],
    ]  # fmt: skip


def test_a_missing_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.txt"):
        read_sentences(tmp_path / "none.txt")


def test_what_shares_seven_words_goes_and_its_neighbours_too() -> None:
    text = [[f"w{i}"] for i in range(9)]
    text[4] = ["and", *SECRET.split()[:7], "again"]
    held = HeldOut([SECRET])
    assert list(held.filter(text, margin=0)) == text[:4] + text[5:]
    assert list(held.filter(text, margin=2)) == text[:2] + text[7:]


def test_six_shared_words_are_chance() -> None:
    text = [[*SECRET.split()[:6], "sits"]]
    assert list(HeldOut([SECRET]).filter(text)) == text


def test_short_sentences_count_as_a_whole_from_four_words() -> None:
    held = HeldOut(["thank you very much", "good night"])
    text = [["thank", "you", "very", "much"], ["good", "night"], ["thank", "you"]]
    assert list(held.filter(text, margin=0)) == text[1:]


def test_lines_that_are_normalised_already_are_read_the_same(tmp_path: Path) -> None:
    lines = [
        "mr smith didn't go",
        "rock 'n' roll",
        "o'clock",
        "it is mrs o'brien's",
        "  spaced  out ",
    ]
    (tmp_path / "plain.txt").write_text("\n".join(lines))
    assert read_sentences(tmp_path / "plain.txt") == [spoken_words(line) for line in lines]
