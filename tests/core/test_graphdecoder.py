from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamasr.core import graphdecoder
from streamasr.core.graph import GraphModel
from streamasr.core.graphdecoder import EARLY, GraphDecoder
from streamasr.core.model import Emissions
from tests.graphs import SPOKEN, emissions, muddle, phones, toy_model, units

ROWS = len(SPOKEN.split())
SPEECH = "T ER ER N AA N DH AH L L AY AY T"
"""The same without a pause."""
WIDE = {"beam": 30.0, "lattice_beam": 25.0}


def decode(
    model: GraphModel, heard: Emissions, size: int = ROWS, *, others: int = 0
) -> GraphDecoder:
    assert heard.phones is not None
    decoder = GraphDecoder(model, others=others)
    for start in range(0, len(heard.units), size):
        part = slice(start, start + size)
        decoder.push(Emissions(heard.units[part], heard.phones[part]))
    decoder.finish()
    return decoder


def test_a_sentence_with_its_times() -> None:
    model = toy_model(unit_weight=0.0)
    decoder = decode(model, emissions())
    assert decoder.text == "turn on the light"
    assert decoder.quiet == 10
    words = decoder.words()
    assert [word.text for word in words] == ["turn", "on", "the", "light"]
    assert [(w.start + model.delay, w.end + model.delay) for w in words] == [
        (2, 6), (6, 8), (8, 10), (10, 15),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_any_cutting_gives_the_same(size: int, seed: int) -> None:
    heard = Emissions(units("turn off the light", ROWS), muddle(SPOKEN, seed))
    whole, cut = (decode(toy_model(**WIDE), heard, size) for size in (ROWS, size))
    assert (cut.text, cut.words()) == (whole.text, whole.words())


def test_words_are_shown_when_they_lie_back() -> None:
    decoder = GraphDecoder(toy_model(unit_weight=0.0))
    told, grew = [], []
    for row in phones():
        grew.append(decoder.push(Emissions(units("", 1), row[None])))
        told.append(decoder.text)
    assert (told[8], told[9], told[18]) == ("", "turn", "turn on the light")
    assert all(later.startswith(earlier) for earlier, later in pairwise(told))
    assert [a != b for a, b in pairwise(["", *told])] == grew


def test_the_other_head_can_change_the_reading() -> None:
    heard = emissions(SPOKEN, "turn off the lights", sure=0.3)
    assert decode(toy_model(**WIDE, unit_weight=0.0), heard).text == "turn on the light"
    changed = decode(toy_model(**WIDE, unit_weight=1.0), heard)
    assert changed.text == "turn off the lights"
    assert all(0 <= a.start < a.end <= b.start + 1e-6 for a, b in pairwise(changed.words()))


def test_silence_and_nothing_are_no_words() -> None:
    model = toy_model()
    silent = decode(model, emissions("SIL SIL SIL"))
    assert (silent.text, silent.words(), silent.quiet) == ("", (), 3)
    nothing = GraphDecoder(model)
    nothing.finish()
    assert (nothing.text, nothing.words()) == ("", ())


def test_two_decoders_share_a_model_and_nothing_else() -> None:
    model = toy_model(unit_weight=0.0)
    one, two = GraphDecoder(model), GraphDecoder(model)
    for row in phones():
        one.push(Emissions(units("", 1), row[None]))
        two.push(emissions("SIL"))
    one.finish()
    two.finish()
    assert (len(one.words()), two.text) == (4, "")


def test_doubt_lowers_confidence() -> None:
    model = toy_model(unit_weight=0.0)
    sure, unsure = decode(model, emissions(sure=0.95)), decode(model, emissions(sure=0.4))
    for a, b in zip(sure.words(), unsure.words(), strict=True):
        assert 0 < b.confidence < a.confidence < 1


def test_the_word_cost_weighs_against_short_words() -> None:
    heard = emissions(sure=0.3)
    many, few = (decode(toy_model(word_cost=cost, unit_weight=0.0), heard) for cost in (0.0, 40.0))
    assert len(few.words()) < len(many.words())


@pytest.mark.parametrize("spoken", [SPOKEN, SPEECH])
def test_memory_of_an_utterance_that_goes_on_does_not_grow(spoken: str) -> None:
    """With pauses, where it is settled at once, and without."""
    decoder = GraphDecoder(toy_model())
    held = []
    for seed in range(120):
        rows = muddle(spoken, seed % 10, noise=0.3)
        for at in range(0, len(rows), 2):
            decoder.push(Emissions(units("", 2), rows[at : at + 2]))
        held.append(decoder.memory_bytes)
    growth = max(held[-20:]) - max(held[20:40])
    assert growth < 80 * len(spoken.split()) * 15  # what stays is the path, and room for it


@pytest.mark.parametrize("spoken", [SPOKEN, SPEECH])
def test_settled_words_keep_their_places_and_evidence(
    spoken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.concatenate([phones(spoken) for _ in range(40)])
    model = toy_model(unit_weight=0.0)
    settled = decode(model, Emissions(units("", len(rows)), rows), 2)
    monkeypatch.setattr(graphdecoder, "LONG", 10**6)
    monkeypatch.setattr(graphdecoder, "LONGER", 10**6)
    whole = decode(model, Emissions(units("", len(rows)), rows), 2)
    assert settled.text == whole.text
    assert len(settled.text.split()) == 160
    assert settled.words() == whole.words()
    assert settled.memory_bytes < whole.memory_bytes


def test_settling_does_not_depend_on_how_emissions_came() -> None:
    rows = np.concatenate([muddle(SPEECH, seed, noise=0.3) for seed in range(40)])
    heard = Emissions(units("", len(rows)), rows)
    one, two = decode(toy_model(), heard, 2), decode(toy_model(), heard, 16)
    assert one.words() == two.words()


def test_the_last_choice_is_made_in_the_silence_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    readings = GraphDecoder.readings
    monkeypatch.setattr(GraphDecoder, "readings", lambda self: asked.append(1) or readings(self))
    heard = emissions(SPOKEN, "turn off the lights", sure=0.3)
    decoder = GraphDecoder(toy_model(**WIDE, unit_weight=1.0))
    decoder.push(heard)
    assert len(asked) == 1
    decoder.finish()
    assert len(asked) == 1
    assert decoder.text == "turn off the lights"
    words = decoder.words()
    assert words[-1].end < ROWS - EARLY
    more = GraphDecoder(toy_model(**WIDE, unit_weight=1.0))
    more.push(heard)
    more.push(emissions("L AY T"))
    more.finish()
    assert more.text.endswith("light")
    assert len(asked) == 3


def test_what_lost_is_told_likeliest_first() -> None:
    heard = emissions(SPOKEN, "turn off the lights", sure=0.3)
    decoder = decode(toy_model(**WIDE, unit_weight=1.0), heard, others=3)
    others = decoder.alternatives(20)
    texts = [" ".join(word.text for word in other.words) for other in others]
    assert len({decoder.text, *texts}) == 4
    likelihoods = [other.likelihood for other in others]
    assert 1.0 >= likelihoods[0] >= likelihoods[1] >= likelihoods[2] > 0.0
    assert decoder.alternatives(1) == others[:1]
    assert GraphDecoder(toy_model()).alternatives(3) == ()
    assert decode(toy_model(**WIDE, unit_weight=1.0), heard).alternatives(3) == ()
    clear = decode(toy_model(lattice_beam=0.01), emissions(), others=3)
    assert clear.alternatives(3) == ()
