from __future__ import annotations

from dataclasses import replace

import pytest

from streamasr.core.graph import GraphModel
from streamasr.core.graphdecoder import GraphDecoder
from streamasr.core.hotwords import MOST, HotWord, heat, heat_known
from streamasr.errors import ConfigError
from tests.graphs import LEXICON, emissions, toy_model

ZORK = HotWord("zork", phones="Z AO R K")
SPOKEN = "SIL T ER ER N AA N DH AH Z AO AO R K K SIL SIL SIL SIL SIL"
NAMES = {"ada": [("EY", "D", "AH")], "byron": [("B", "AY", "R", "AH", "N")]}


def model() -> GraphModel:
    found = LEXICON | NAMES
    return replace(
        toy_model(unit_weight=0.0, word_cost=1.0, beam=30.0),
        pronounce=lambda words: {word: found[word] for word in words if word in found},
    )


def decode(spoken: str, *hotwords: HotWord, size: int = 2) -> str:
    used = model()
    decoder = GraphDecoder(used, heat(used, hotwords) if hotwords else None)
    heard = emissions(spoken)
    assert heard.phones is not None
    for start in range(0, len(heard.units), size):
        part = slice(start, start + size)
        decoder.push(type(heard)(heard.units[part], heard.phones[part]))
    decoder.finish()
    assert [word.text for word in decoder.words()] == decoder.text.split()
    return decoder.text


def test_a_word_that_the_model_does_not_know_is_heard_where_it_is_hot() -> None:
    assert "zork" not in decode(SPOKEN)
    assert decode(SPOKEN, ZORK) == "turn on the zork"
    assert decode(SPOKEN, ZORK, size=1) == decode(SPOKEN, ZORK, size=20)


def test_a_phrase_is_heard_as_a_whole_with_its_words() -> None:
    spoken = "SIL T ER N AA N EY D AH B AY AY R AH N SIL L AY T SIL SIL"
    assert decode(spoken, HotWord("Ada  Byron")) == "turn on ada byron light"


def test_nothing_is_heard_that_was_not_said() -> None:
    plain = "SIL T ER N AA N DH AH L AY T SIL SIL SIL SIL"
    assert decode(plain, ZORK, HotWord("ada byron")) == decode(plain) == "turn on the light"


def test_the_boost_decides_between_alike() -> None:
    spoken = "SIL SIL L AY AY T SIL SIL SIL SIL"
    alike = HotWord("lite", phones="L AY T")
    assert decode(spoken, replace(alike, boost=0.0)) == "light"
    assert decode(spoken, replace(alike, boost=12.0)) == "lite"


def test_streams_with_and_without_share_the_graph() -> None:
    used = model()
    hot, plain = GraphDecoder(used, heat(used, [ZORK])), GraphDecoder(used)
    for decoder in (hot, plain):
        decoder.push(emissions(SPOKEN))
        decoder.finish()
    assert ("zork" in hot.text, "zork" in plain.text) == (True, False)


def test_what_nobody_can_say_is_named() -> None:
    hot = heat(model(), [HotWord("xyzzy"), HotWord("ada xyzzy"), HotWord("ada")])
    assert hot.unknown == ("xyzzy", "ada xyzzy")
    assert hot.words == ("ada",)
    assert heat(model(), []).words == ()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"text": " "}, "letters"),
        ({"text": "a" * 101}, "letters"),
        ({"text": "ada", "boost": 13.0}, "boost"),
        ({"text": "ada", "phones": "QQ"}, "'QQ' is no phone"),
        ({"text": "ada", "phones": "K SIL"}, "'SIL' is no phone"),
    ],
)
def test_senseless_hot_words_are_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        HotWord(**fields)  # type: ignore[arg-type]


def test_a_text_is_a_phrase_and_may_have_a_boost() -> None:
    assert HotWord.parse("ada byron") == HotWord("ada byron")
    assert HotWord.parse(" zork : 9 ") == HotWord("zork", 9.0)
    for wrong, named in (
        ("zork:loud", "'loud', no number"),
        ("zork:nan", "boost"),
        (":3", "letters"),
    ):
        with pytest.raises(ConfigError, match=named):
            HotWord.parse(wrong)


def test_whoever_asks_to_be_told_is_told() -> None:
    hot = heat_known(model(), [HotWord("ada")])
    assert hot is not None
    assert hot.words == ("ada",)
    assert heat_known(None, []) is None
    with pytest.raises(ConfigError, match="language model"):
        heat_known(None, [HotWord("ada")])
    with pytest.raises(ConfigError, match="say xyzzy"):
        heat_known(model(), [HotWord("ada"), HotWord("xyzzy")])


def test_too_many_are_refused() -> None:
    with pytest.raises(ConfigError, match="too many"):
        heat(model(), [HotWord("ada")] * (MOST + 1))
