from __future__ import annotations

from streamasr.edge.lm.spelling import ENGLISH, LetterReader


def test_the_rules_that_ship_say_what_an_english_reader_would() -> None:
    reader = LetterReader.read(ENGLISH)
    assert ("B", "L", "IH", "K") in reader.say("blick", variants=3)
    assert ("Z", "AO", "R", "K") in reader.say("zork", variants=3)
    assert reader.say("été") == []
    assert reader.say("") == []
