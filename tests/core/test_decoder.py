from __future__ import annotations

import numpy as np

from streamasr.core.decoder import DecodedWord, GreedyDecoder
from streamasr.core.model import Emissions
from streamasr.core.proofreading import COMMON, Proofreader
from tests.fakes import UNITS

KA, LO, MI = 1, 2, 3


def emissions(units: list[int], probability: float = 0.5) -> Emissions:
    out = np.full((len(units), len(UNITS)), 1e-3, np.float32)
    out[np.arange(len(units)), units] = probability
    return Emissions(np.log(out))


def test_words_are_as_sure_as_their_least_sure_unit_and_last_from_first_to_last() -> None:
    decoder = GreedyDecoder(UNITS)
    assert decoder.push(emissions([0, KA, 0]))
    assert decoder.push(emissions([MI, MI], 0.25))
    assert not decoder.push(emissions([0, 0]))
    assert decoder.quiet == 2
    assert decoder.push(emissions([LO], 0.75))
    decoder.finish()
    assert decoder.text == "kami lo"
    assert decoder.words() == (
        DecodedWord("kami", 1, 5, 0.25),
        DecodedWord("lo", 7, 8, 0.75),
    )


def test_nothing_said_is_no_word() -> None:
    decoder = GreedyDecoder(UNITS)
    assert not decoder.push(emissions([0, 0]))
    assert (decoder.text, decoder.words(), decoder.quiet) == ("", (), 2)


FILLING = [f"x{n}" for n in range(COMMON)]


def test_a_word_that_is_none_is_mended_when_it_is_complete() -> None:
    decoder = GreedyDecoder(UNITS, proofreader=Proofreader(["kamin", "lo"]))
    assert not decoder.push(emissions([KA, MI, 0], 0.25))
    assert decoder.words() == ()
    assert decoder.push(emissions([LO, 0]))
    assert decoder.text == "kamin lo"
    decoder.finish()
    assert decoder.words() == (DecodedWord("kamin", 0, 2, 0.25), DecodedWord("lo", 3, 4, 0.5))


def test_the_last_word_is_mended_at_the_end() -> None:
    decoder = GreedyDecoder(UNITS, proofreader=Proofreader(["kamin"]))
    decoder.push(emissions([KA, MI]))
    decoder.finish()
    assert decoder.text == "kamin"


def test_what_was_shown_stays() -> None:
    """A common word is shown at once; where it goes on, it is mended to what begins with it."""
    near = Proofreader(["ka", "komi", *FILLING, "kamin"])
    decoder = GreedyDecoder(UNITS, proofreader=near)
    assert decoder.push(emissions([KA]))
    assert decoder.text == "ka"
    assert not decoder.push(emissions([MI]))
    assert decoder.text == "ka"
    decoder.finish()
    assert decoder.text == "kamin"
    assert [word.text for word in decoder.words()] == ["kamin"]


def test_a_rare_word_is_shown_when_it_is_complete() -> None:
    decoder = GreedyDecoder(UNITS, proofreader=Proofreader([*FILLING, "kami"]))
    assert not decoder.push(emissions([KA, MI]))
    assert decoder.push(emissions([LO]))
    assert decoder.text == "kami"


def test_however_emissions_are_cut_the_text_is_the_same() -> None:
    proofreader = Proofreader(["ka", "kaba", "lo", *FILLING])
    heard = emissions([KA, 0, MI, LO, 0, KA, KA, 0, LO, MI, MI, 0]).units
    texts = []
    for size in (1, 2, 5, len(heard)):
        decoder = GreedyDecoder(UNITS, proofreader=proofreader)
        for at in range(0, len(heard), size):
            decoder.push(Emissions(heard[at : at + size]))
        decoder.finish()
        texts.append((decoder.text, decoder.words()))
    assert texts[1:] == texts[:-1]
