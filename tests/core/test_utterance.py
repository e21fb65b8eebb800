"""Tokens become text and timed words that only grow."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from streamasr.core.decoder import GreedyDecoder
from streamasr.core.events import Final, SpeechEnded, Word
from streamasr.core.model import Emissions
from streamasr.core.phones import PHONE_IDS
from streamasr.core.presence import Presence
from streamasr.core.proofreading import Proofreader
from streamasr.core.utterance import Utterance
from tests.fakes import FACTS, UNITS

HOP = FACTS.emission_samples
KA, LO, MI, NA, SPACE = 1, 2, 3, 4, 5


def emissions(units: list[int], probability: float = 0.5) -> Emissions:
    out = np.full((len(units), len(UNITS)), 1e-3, np.float32)
    out[np.arange(len(units)), units] = probability
    return Emissions(np.log(out))


def utterance(heard: int = 100_000) -> Utterance:
    one = Utterance(GreedyDecoder(UNITS), HOP, 7, start=1000, origin=640)
    one.heard = heard
    return one


def test_a_worked_example() -> None:
    """ka mi _ lo lo: two words; ka begins in the pre-roll, before the speech."""
    one = utterance()
    assert one.push(emissions([KA, MI]))
    assert not one.push(emissions([0, 0]))
    assert one.push(emissions([LO, LO], 0.25))
    one.decoded = 640 + 6 * HOP
    partial = one.partial(with_words=True)
    assert partial.text == "kami lo"
    assert partial.words == (
        Word("kami", 640, 640 + 2 * HOP, pytest.approx(0.5)),
        Word("lo", 640 + 4 * HOP, 640 + 6 * HOP, pytest.approx(0.25)),
    )
    assert (partial.start, partial.end) == (640, 640 + 6 * HOP)
    final, ended = one.conclude("silence", 3000, with_words=False)
    assert isinstance(final, Final)
    assert final.confidence == pytest.approx(0.375)
    assert (final.start, final.end, final.words) == (640, 640 + 6 * HOP, ())
    assert ended == SpeechEnded(7, 3000)


def test_a_lone_word_start_is_no_text_yet() -> None:
    one = utterance()
    assert not one.push(emissions([SPACE]))
    assert one.words() == ()
    assert one.conclude("finish", 0, with_words=True) == [SpeechEnded(7, 1000)]
    assert one.push(emissions([MI]))
    assert one.words() == (Word("mi", 640, 640 + 2 * HOP, pytest.approx(0.5)),)


def test_no_word_lies_beyond_the_audio() -> None:
    one = utterance(heard=640 + HOP + 100)
    one.push(emissions([0, 0, 0, KA, KA]))
    assert one.words() == (Word("ka", 740, 640 + HOP + 100, pytest.approx(0.5)),)
    short = utterance(heard=640 + 5)
    short.push(emissions([KA]))
    assert short.words() == (Word("ka", 640, 645, pytest.approx(0.5)),)


def test_blank_is_counted_in_samples() -> None:
    one = utterance()
    one.push(emissions([0, 0, KA, 0, 0, 0]))
    assert one.quiet == 3 * HOP


@pytest.mark.parametrize("seed", range(20))
def test_words_told_on_the_way_equal_words_told_at_once(seed: int) -> None:
    rng = Random(seed)
    units = [rng.choice((0, KA, LO, MI, NA, SPACE)) for _ in range(120)]
    whole, parts = utterance(), utterance()
    whole.push(emissions(units))
    before: tuple[Word, ...] = ()
    for i in range(0, len(units), 2):
        parts.push(emissions(units[i : i + 2]))
        words = parts.words()
        settled = before[:-1]
        assert words[: len(settled)] == settled, "only the last word may grow"
        before = words
    assert parts.words() == whole.words()
    assert parts.text == whole.text == " ".join(word.text for word in whole.words())
    assert all(a.end <= b.start for a, b in pairwise(whole.words()))


def doubtful(units: list[int], best: float) -> Emissions:
    """Units beside a phone head whose best phone has the probability ``best``."""
    phones = np.full((len(units), 40), (1 - best) / 39, np.float32)
    phones[:, PHONE_IDS["AE"]] = best
    return Emissions(emissions(units).units, np.log(phones))


def test_text_is_held_back_until_somebody_surely_speaks() -> None:
    one = Utterance(GreedyDecoder(UNITS), HOP, 0, start=0, origin=0, presence=Presence(0.4))
    one.heard = 100_000
    assert not one.push(doubtful([KA, MI], 0.2))
    assert (one.text, one.has_words) == ("", True)
    assert not one.push(doubtful([LO, LO], 0.9))
    assert one.push(doubtful([0] * 20, 0.9)), "shown although nothing new was said"
    assert one.text == "kami lo"
    assert not one.push(doubtful([0] * 10, 0.9))


def test_the_end_completes_the_last_word() -> None:
    decoder = GreedyDecoder(UNITS, proofreader=Proofreader(["kamin"]))
    one = Utterance(decoder, HOP, 0, start=0, origin=0)
    one.heard = 100_000
    one.push(emissions([KA, MI]))
    final, _ = one.conclude("silence", 3000, with_words=True)
    assert isinstance(final, Final)
    assert final.text == "kamin"


def test_the_end_of_a_short_utterance_decides_whether_somebody_spoke() -> None:
    one = Utterance(GreedyDecoder(UNITS), HOP, 0, start=0, origin=0, presence=Presence(0.4))
    one.heard = 100_000
    assert not one.push(doubtful([KA, MI, 0, 0, 0], 0.65))
    final, _ = one.conclude("silence", 3000, with_words=True)
    assert isinstance(final, Final)
    assert final.text == "kami"


def test_what_noise_sounds_like_is_no_final() -> None:
    one = Utterance(GreedyDecoder(UNITS), HOP, 0, start=0, origin=0, presence=Presence(0.4))
    one.heard = 100_000
    one.push(doubtful([KA, MI] * 20, 0.2))
    assert one.words()
    assert one.conclude("silence", 3000, with_words=True) == [SpeechEnded(0, 3000)]
