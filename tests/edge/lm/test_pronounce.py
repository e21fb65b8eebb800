from __future__ import annotations

from collections.abc import Sequence

import pytest

from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.pronounce import Pronouncer, loosely_said, read_pronunciation
from streamasr.errors import ConfigError

KNOWN: dict[str, list[Phones]] = {
    "lamp": [("L", "AE", "M", "P")], "living": [("L", "IH", "V", "IH", "NG")],
    "room": [("R", "UW", "M")], "bush": [("B", "UH", "SH")],
    "h": [("EY", "CH")], "v": [("V", "IY")], "d": [("D", "IY")],
}  # fmt: skip


def known(words: Sequence[str]) -> dict[str, list[Phones]]:
    return {word: KNOWN[word] for word in words if word in KNOWN}


@pytest.mark.parametrize(
    ("word", "said", "how"),
    [
        ("lamp's", "L AE M P S", "from lamp"),
        ("room's", "R UW M Z", "from room"),
        ("bush's", "B UH SH IH Z", "from bush"),
        ("livingroom", "L IH V IH NG R UW M", "from living room"),
        ("hvd", "EY CH V IY D IY", "by letters"),
        ("zork", "Z AO R K", "from its letters"),
    ],
)
def test_unknown_words_are_guessed_and_told(word: str, said: str, how: str) -> None:
    pronouncer = Pronouncer(known)
    assert tuple(said.split()) in pronouncer([word, "lamp"])[word]
    assert pronouncer.guessed == {word: how}


@pytest.mark.parametrize(
    ("way", "others"),
    [
        ("SH AA T", ["SH AO T"]),
        ("AO F", ["AA F"]),
        ("D AO R", []),
        ("R OW S T", ["R OW S"]),
        ("AA M AH N D", ["AO M AH N D", "AA M AH N", "AO M AH N"]),
        ("M IH L K", []),
        ("B AE D", []),
        ("EH T", []),
    ],
)
def test_what_may_be_said_loosely(way: str, others: list[str]) -> None:
    said = loosely_said([tuple(way.split())])
    assert sorted(said) == sorted(tuple(each.split()) for each in (way, *others))


def test_what_is_known_is_said_loosely_too_and_what_is_given_is_not() -> None:
    given = {"shot": [("SH", "AA", "T")]}
    stocked = {"lamp": [("L", "AE", "M", "P")], "want": [("W", "AA", "N", "T"), ("W", "AO", "N")]}
    found = Pronouncer(lambda words: stocked, given, loosely=True)(["lamp", "want", "shot"])
    assert found["lamp"] == stocked["lamp"]
    assert found["shot"] == given["shot"]
    assert sorted(" ".join(way) for way in found["want"]) == [
        "W AA N", "W AA N T", "W AO N", "W AO N T",
    ]  # fmt: skip


def test_what_is_given_holds() -> None:
    pronouncer = Pronouncer(known, {"lamp": [("L", "AA")], "zork": [("Z", "UW")]})
    assert pronouncer(["lamp", "zork"]) == {"lamp": [("L", "AA")], "zork": [("Z", "UW")]}
    assert not pronouncer.guessed


def test_what_is_no_english_is_left_out() -> None:
    assert Pronouncer(known)(["öl", "lamp"]).keys() == {"lamp"}


def test_a_pronunciation_as_text() -> None:
    assert read_pronunciation("s ao1 n ah0") == ("S", "AO", "N", "AH")
    for wrong in ("S QQ", "", "SIL"):
        with pytest.raises(ConfigError, match="is no phone"):
            read_pronunciation(wrong)
