from __future__ import annotations

import numpy as np

from streamasr.core.decoder import DecodedWord, GreedyDecoder
from streamasr.core.model import Emissions
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
