from __future__ import annotations

from streamasr.app.lm.align_letters import align_letters

ENTRIES = [
    ("cat", ("K", "AE", "T")),
    ("act", ("AE", "K", "T")),
    ("tack", ("T", "AE", "K")),
    ("tax", ("T", "AE", "K", "S")),
    ("sat", ("S", "AE", "T")),
    ("ass", ("AE", "S")),
]


def test_letters_find_their_phones() -> None:
    found = {"".join(letter for letter, _ in word): word for word in align_letters(ENTRIES)}
    assert found["cat"] == [("c", ("K",)), ("a", ("AE",)), ("t", ("T",))]
    assert found["act"] == [("a", ("AE",)), ("c", ("K",)), ("t", ("T",))]
    assert found["tax"][2] == ("x", ("K", "S"))


def test_nothing_is_lost() -> None:
    expected = {word: phones for word, phones in ENTRIES}
    for word in align_letters(ENTRIES):
        letters = "".join(letter for letter, _ in word)
        assert tuple(p for _, phones in word for p in phones) == expected[letters]


def test_what_cannot_be_aligned_is_left_out() -> None:
    assert align_letters([("é", ("EY",)), ("b", ("B", "IY", "IY"))]) == []
