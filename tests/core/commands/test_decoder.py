from __future__ import annotations

import pytest

from streamasr.core.commands.decoder import LOWEST, CommandDecoder, Evidence, Verdict
from streamasr.core.commands.network import Drawing
from streamasr.core.model import Emissions
from tests.graphs import SPOKEN, emissions, muddle, phones, toy_model, units

NONSENSE = "SIL SIL B IY S K W OW OW Z UW M IY B IY S K SIL SIL SIL SIL SIL SIL SIL"


def decode(heard: Emissions) -> CommandDecoder:
    decoder = CommandDecoder(toy_model())
    decoder.push(heard)
    decoder.finish()
    return decoder


def test_a_sentence_that_was_said_is_surer_than_one_that_was_not() -> None:
    said = decode(emissions(SPOKEN, "turn on the light"))
    other = decode(emissions(NONSENSE, "kzw"))
    assert said.text == "turn on the light"
    assert said.confidence > 0.5 > other.confidence
    assert {word.confidence for word in said.words()} == {said.confidence}


def test_the_evidence_of_what_the_model_says_itself() -> None:
    found = decode(emissions(SPOKEN, "turn on the light")).weighed
    assert found.phones == pytest.approx(0, abs=1e-3)
    assert found.worst == pytest.approx(0, abs=1e-3)
    assert found.stretch == pytest.approx(0, abs=1e-3)
    assert found.units == pytest.approx(0, abs=0.01)
    assert found.length == 13
    assert (found.differs, found.ahead, found.miscount, found.beside) == (0, 0, 0, 0)


def test_the_evidence_of_what_was_muddled() -> None:
    heard = muddle(noise=2.0)
    found = decode(Emissions(units("turn on the light", len(heard)), heard)).weighed
    assert LOWEST < found.worst <= found.phones < 0
    assert LOWEST < found.stretch <= found.phones


def test_the_evidence_of_what_else_was_heard() -> None:
    more = SPOKEN + " K K IY SIL SIL SIL SIL SIL SIL SIL SIL SIL"
    found = decode(Emissions(units("turn on the light", len(more.split())), phones(more))).weighed
    assert found.beside == 3
    assert found.length == 16
    assert found.differs == pytest.approx(3 / 16)
    assert found.miscount == pytest.approx(2 / 10)
    assert found.ahead == 0
    heard = muddle(noise=2.0)
    muddled = decode(Emissions(units("turn on the light", len(heard)), heard)).weighed
    assert 0 < muddled.ahead <= 10


def test_half_a_second_that_is_wrong_outweighs_words_that_are_right() -> None:
    right = "SIL " + "".join(5 * f"{phone} " for phone in SPOKEN.split()[2:15]) + 9 * "SIL "
    wrong = right.replace("DH DH DH DH DH AH AH AH AH AH", 10 * "ZH ")
    spelt = units("turn on the light", len(right.split()))
    said, other = decode(Emissions(spelt, phones(right))), decode(Emissions(spelt, phones(wrong)))
    assert other.text == said.text
    assert other.weighed.stretch < min(other.weighed.phones, -2.0)
    assert other.confidence < 0.5 < said.confidence


@pytest.mark.parametrize(
    ("texts", "outlook"),
    [
        (["turn on the light"], "over"),
        (["turn on the light", "turn on the light please"], "open"),
        (["turn on the light please"], "unfinished"),
        ([], "open"),
    ],
)
def test_the_outlook_is_told_in_silence(texts: list[str], outlook: str) -> None:
    drawing = Drawing()
    for text in texts:
        node = 0
        for piece in text.replace(" ", "| |").split("|"):
            node = drawing.draw(node, piece)
        drawing.ends[node] = 0
    decoder = CommandDecoder(toy_model(), drawing.network() if texts else None)
    heard = phones(SPOKEN)
    decoder.push(Emissions(units("turn on the light", 16), heard[:16]))
    assert decoder.outlook == "open"
    decoder.push(Emissions(units("", len(heard) - 16), heard[16:]))
    assert decoder.outlook == outlook


def test_nothing_said_is_nothing_sure() -> None:
    silent = decode(Emissions(units("", 30), phones("SIL " * 30, 0.99)))
    assert silent.text == "" or silent.confidence < 0.5
    empty = CommandDecoder(toy_model())
    empty.finish()
    assert empty.weighed == Evidence()
    assert Verdict().confidence(Evidence()) < 0.01
