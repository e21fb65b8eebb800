from __future__ import annotations

import pytest

from streamasr.core.commands.decoder import CommandDecoder
from streamasr.core.commands.wake import Spotter
from streamasr.core.commands.waking import WakingDecoder
from streamasr.core.model import Emissions
from tests.graphs import SPOKEN, emissions, toy_model

WAKE = "SIL W EY K AH P"


def decode(spoken: str, *, is_awake: bool = False) -> WakingDecoder:
    spotter = Spotter([[("W", "EY", "K"), ("AH", "P")]], -0.5)
    model = toy_model(unit_weight=0.0)
    decoder = WakingDecoder(spotter, lambda: CommandDecoder(model), is_awake=is_awake)
    heard = emissions(spoken, "turn on the light")
    assert heard.phones is not None
    for row in range(len(heard.units)):
        decoder.push(Emissions(heard.units[row : row + 1], heard.phones[row : row + 1]))
    decoder.finish()
    return decoder


def test_asleep_nothing_is_heard() -> None:
    decoder = decode(SPOKEN)
    assert (decoder.text, decoder.quiet, decoder.words()) == ("", 0, ())
    assert decoder.woke_at is None


@pytest.mark.parametrize("is_awake", [False, True])
def test_what_follows_the_phrase_is_heard(is_awake: bool) -> None:
    decoder = decode(f"{WAKE} {SPOKEN}", is_awake=is_awake)
    assert decoder.woke_at == len(WAKE.split())
    assert decoder.text == "turn on the light"
    alone = CommandDecoder(toy_model(unit_weight=0.0))
    alone.push(emissions(SPOKEN))
    alone.finish()
    offset = len(WAKE.split())
    assert [w.start - offset for w in decoder.words()] == [w.start for w in alone.words()]


def test_awake_everything_is_heard() -> None:
    decoder = decode(SPOKEN, is_awake=True)
    assert decoder.text == "turn on the light"
    assert decoder.outlook == "open"
    assert decoder.quiet
    assert decoder.woke_at is None
    assert decoder.alternatives(3) == ()


def test_somebody_else_may_wake_it() -> None:
    model = toy_model(unit_weight=0.0)
    decoder = WakingDecoder(None, lambda: CommandDecoder(model), is_awake=False)
    decoder.push(emissions("SIL SIL SIL"))
    decoder.wake(0.95)
    assert (decoder.woke_at, decoder.score) == (3, 0.95)
    decoder.push(emissions(SPOKEN, "turn on the light"))
    decoder.finish()
    assert decoder.text == "turn on the light"
    assert decoder.words()[0].start >= 3
