from __future__ import annotations

import pytest

from streamasr.core.commands.wake import Spotter
from streamasr.errors import ConfigError
from tests.graphs import muddle, phones

HEY_LIGHT = [[("HH", "EY"), ("L", "AY", "T")]]
SAID = "SIL SIL HH HH EY EY L AY AY T SIL SIL"


def spotter(threshold: float = -0.5) -> Spotter:
    return Spotter(HEY_LIGHT, threshold)


@pytest.mark.parametrize("size", [1, 2, 12])
def test_the_phrase_is_heard_where_it_ends(size: int) -> None:
    heard = phones(SAID)
    found, ear = [], spotter()
    for start in range(0, len(heard), size):
        if ear.push(heard[start : start + size]):
            found.append(start // size)
    assert found == [9 // size]
    assert ear.score < 0


def test_a_pause_may_lie_between_words_and_not_within() -> None:
    assert spotter().push(phones("SIL HH EY SIL SIL SIL L AY T SIL"))
    assert not spotter().push(phones("SIL HH SIL SIL SIL EY L AY T SIL"))


@pytest.mark.parametrize("said", ["SIL " * 20, "L AY T HH EY", "HH EY L AY", "AA B K HH OW L AY D"])
def test_other_words_are_not_it(said: str) -> None:
    assert not spotter().push(phones(said))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_heard_among_other_words_and_muddled(seed: int) -> None:
    said = f"B IY S K W OW {SAID} N AA T S"
    assert spotter(-2.0).push(muddle(said, seed, noise=0.5))
    assert not spotter(-2.0).push(muddle("B IY S K W OW Z UW M N AA T S", seed, noise=0.5))


def test_any_way_to_say_it_counts() -> None:
    both = Spotter([*HEY_LIGHT, [("L", "AY", "T", "S")]], -0.5)
    assert both.push(phones("SIL L AY T S SIL"))


def test_what_was_heard_can_be_forgotten() -> None:
    ear = spotter()
    ear.push(phones("HH EY L AY"))
    ear.reset()
    assert not ear.push(phones("T SIL"))


def test_a_short_phrase_is_refused() -> None:
    with pytest.raises(ConfigError, match="too short"):
        Spotter([[("HH", "EY")]], -1.0)
    with pytest.raises(ConfigError, match="too short"):
        Spotter([], -1.0)
