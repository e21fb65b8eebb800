from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from streamasr.app.lm.spelling import Speller

CONSONANTS = {"b": "B", "d": "D", "k": "K", "m": "M", "s": "S", "t": "T", "n": "N", "sh": "SH"}
VOWELS = {"a": "AE", "i": "IH", "o": "AA", "ee": "IY"}
WORDS = {
    a + v + b: [(CONSONANTS[a], VOWELS[v], CONSONANTS[b])]
    for a, v, b in product(CONSONANTS, VOWELS, CONSONANTS)
}
KEPT_BACK = ["shim", "teesh", "bad", "nos", "meek"]


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller.learn({w: p for w, p in WORDS.items() if w not in KEPT_BACK}, order=4)


@pytest.mark.parametrize("word", KEPT_BACK)
def test_a_regular_spelling_is_learnt(speller: Speller, word: str) -> None:
    assert speller.say(word) == WORDS[word]


def test_words_run_together_are_said_too(speller: Speller) -> None:
    assert speller.say("batmish") == [("B", "AE", "T", "M", "IH", "SH")]


def test_letters_never_seen_say_nothing(speller: Speller) -> None:
    assert speller.say("zöe") == []
    assert speller.say("quux") == []
    assert speller.say("") == []


def test_variants_differ_and_the_likelier_comes_first() -> None:
    soft = {f"c{v}t": [("S", VOWELS[v], "T")] for v in ("i", "ee")}
    hard = {f"c{v}{b}": [("K", VOWELS[v], CONSONANTS[b])] for v in VOWELS for b in ("d", "n", "m")}
    speller = Speller.learn(WORDS | soft | hard, order=3)
    assert speller.say("cim", variants=2, within=10) == [("K", "IH", "M"), ("S", "IH", "M")]
    assert speller.say("cim", variants=2, within=0) == [("K", "IH", "M")]


def test_a_speller_survives_the_round_trip(speller: Speller, tmp_path: Path) -> None:
    speller.write(tmp_path / "spell.arpa.gz")
    assert Speller.read(tmp_path / "spell.arpa.gz").say("shim") == WORDS["shim"]
