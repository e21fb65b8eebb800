from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from streamasr.core.commands.words import (
    AVERAGED,
    OTHER,
    REST,
    STEP,
    Floats,
    Spotted,
    WordSpotter,
)
from streamasr.errors import ConfigError

WINDOW = 4 * STEP
LABELS = ("low", "high", OTHER)


def classify(windows: Floats) -> Floats:
    """A word is a level: 0.2 to 0.5 is low, above is high."""
    assert windows.shape[1] == WINDOW
    level = windows.mean(axis=1)
    low, high = (level > 0.2) & (level <= 0.5), level > 0.5
    rows = np.stack([low, high, ~low & ~high], axis=1)
    return np.log(np.where(rows, 0.98, 0.01)).astype(np.float32)


def spotter(**options: object) -> WordSpotter:
    options.setdefault("threshold", 0.9)
    return WordSpotter(classify, LABELS, window=WINDOW, **options)  # type: ignore[arg-type]


def sound(*parts: tuple[float, int]) -> Floats:
    return np.concatenate([np.full(steps * STEP, level, np.float32) for level, steps in parts])


SAID = sound((0.0, 20), (0.4, 8), (0.0, 20), (0.9, 8), (0.0, 20))


def test_words_are_spotted_once_each() -> None:
    found = spotter().push(SAID)
    assert [spotted.word for spotted in found] == ["low", "high"]
    assert all(spotted.score >= 0.9 for spotted in found)
    assert 20 * STEP < found[0].at <= (28 + AVERAGED) * STEP


def test_how_the_audio_was_cut_changes_nothing() -> None:
    expected = spotter().push(SAID)
    for seed in range(20):
        rng, one, found, at = random.Random(seed), spotter(), list[Spotted](), 0
        while at < len(SAID):
            size = rng.choice([1, 7, STEP - 1, STEP, 1600, 5 * STEP + 3])
            found += one.push(SAID[at : at + size])
            at += size
        assert found == expected, seed
        assert one.position == len(SAID)


def test_a_long_word_is_heard_again_only_after_a_rest() -> None:
    found = spotter().push(sound((0.9, 40)))
    assert [b.at - a.at for a, b in pairwise(found)] == [-(-REST // STEP) * STEP] * (len(found) - 1)
    assert len(found) == 3


def test_one_window_is_not_enough() -> None:
    one = spotter()
    assert one.push(sound((0.0, 10), (0.9, 4))) == []
    assert one.score > 0.5


def test_only_the_wanted_words_are_heard() -> None:
    assert [s.word for s in spotter(words=("high",)).push(SAID)] == ["high"]
    assert spotter(threshold=0.99).push(SAID) == []


def test_while_it_is_shut_nothing_is_heard_and_nothing_is_forgotten() -> None:
    one = spotter()
    assert one.push(sound((0.0, 20), (0.4, 8)), is_open=False) == []
    assert [s.word for s in one.push(sound((0.4, AVERAGED)))] == ["low"]


def test_after_a_reset_the_past_is_forgotten() -> None:
    one = spotter()
    one.push(sound((0.9, 3)))
    one.reset()
    assert one.push(sound((0.0, 4))) == []
    assert one.position == 7 * STEP


def test_less_than_a_window_is_not_judged() -> None:
    def refuse(windows: Floats) -> Floats:
        raise AssertionError("there is no whole window")

    one = WordSpotter(refuse, LABELS, window=WINDOW)
    one.push(sound((0.9, 3)))
    one.push(np.zeros(STEP - 1, np.float32))
    with pytest.raises(AssertionError):
        one.push(np.zeros(1, np.float32))


def test_unknown_words_and_thresholds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"does not know 'mid' .it knows low, high"):
        spotter(words=("mid",))
    with pytest.raises(ConfigError, match=r"does not know '_other'"):
        spotter(words=(OTHER,))
    with pytest.raises(ConfigError, match=r"lies in 0..1, got 1.5"):
        spotter(threshold=1.5)
