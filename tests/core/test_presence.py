"""Evidence by hand: phones that are sure, phones that are not, and silence."""

from __future__ import annotations

import numpy as np
import pytest

from streamasr.core.phones import PHONE_IDS, PHONES, VOWELS
from streamasr.core.presence import DOUBT, FEWEST, WINDOW, Presence, certainty

SURE, FAIR, VAGUE = 0.8, 0.5, 0.2


def sounding(best: float, count: int, silence: float = 0.1, phone: str = "") -> np.ndarray:
    """Emissions whose best phone has ``best``, silence ``silence``, the others the rest.

    Without a ``phone`` a consonant comes first, and then a vowel.
    """
    out = np.full((count, len(PHONES)), (1 - best - silence) / (len(PHONES) - 2), np.float32)
    out[:, 0] = silence
    out[:, PHONE_IDS[phone or "AE"]] = best
    if not phone:
        out[:1, [PHONE_IDS["K"], PHONE_IDS["AE"]]] = out[:1, [PHONE_IDS["AE"], PHONE_IDS["K"]]]
    return np.log(out)


def quiet(count: int) -> np.ndarray:
    return sounding(0.01, count, silence=0.9)


def judged(*pieces: np.ndarray, threshold: float = 0.4) -> Presence:
    presence = Presence(threshold)
    for piece in pieces:
        presence.push(piece)
    return presence


def test_sure_phones_soon_outweigh_the_doubt() -> None:
    """k at 0.85 beside 8 at 0.2 reach 0.4 when 0.45 k >= 1.6: at the fourth."""
    assert not judged(sounding(0.85, 3)).is_sure
    assert judged(sounding(0.85, 4)).is_sure


def ended(*pieces: np.ndarray) -> bool:
    """Whether speech was found, all in all."""
    presence = judged(*pieces)
    presence.finish()
    return presence.is_sure


def test_a_short_word_is_judged_at_its_end() -> None:
    word = sounding(FAIR, FEWEST)
    assert not judged(word).is_sure
    assert ended(word)


@pytest.mark.parametrize(("best", "words", "is_speech"), [
    (0.35, 1, False), (0.35, 2, True), (0.30, 2, False), (0.42, 1, True),
])  # fmt: skip
def test_several_words_need_less_evidence(best: float, words: int, is_speech: bool) -> None:
    presence = judged(sounding(best, FEWEST))
    presence.finish(words)
    assert presence.is_sure == is_speech


def test_a_click_is_no_word() -> None:
    assert not ended(sounding(FAIR, FEWEST - 1))


def test_vague_phones_never_convince() -> None:
    assert not ended(sounding(VAGUE, 1000))


def test_what_has_no_vowel_is_no_speech_however_sure() -> None:
    hiss = sounding(SURE, 100, phone="SH")
    assert not ended(hiss)
    assert not ended(hiss[:20])
    assert ended(hiss[:20], sounding(SURE, 1, phone="AE"))
    assert ended(sounding(SURE, 1, phone="AE"), hiss[:20])


@pytest.mark.parametrize("phone", PHONES[1:])
def test_which_phones_are_vowels(phone: str) -> None:
    assert ended(sounding(SURE, 20, phone=phone)) == (phone in VOWELS)


@pytest.mark.parametrize(("best", "is_speech"), [(0.45, False), (0.85, True)])
def test_vowels_alone_may_be_hummed(best: float, is_speech: bool) -> None:
    hum = sounding(best, 10, phone="AA")
    assert ended(hum) == is_speech
    assert ended(hum, sounding(best, 2, phone="M"))
    assert judged(hum, hum).is_sure == is_speech


def test_silence_says_nothing_for_or_against() -> None:
    assert not ended(quiet(500))
    assert ended(quiet(500), sounding(FAIR, FEWEST), quiet(500))


def test_speech_is_heard_after_minutes_of_music() -> None:
    """Of the window, a third at 0.8 and the rest at 0.2 make 0.4."""
    music = sounding(VAGUE, 3000)
    assert not judged(music, sounding(SURE, WINDOW // 3)).is_sure
    assert judged(music, sounding(SURE, WINDOW // 3 + 1)).is_sure


def test_what_is_sure_stays_sure() -> None:
    assert ended(sounding(SURE, 20), sounding(VAGUE, 1000))


def test_cutting_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        bests = rng.uniform(0.1, 0.6, 80)
        pieces = [sounding(float(b), 1) for b in bests]
        whole, cut = Presence(0.36), Presence(0.36)
        sure_at = []
        for piece in pieces:
            cut.push(piece)
            sure_at.append(cut.is_sure)
        whole.push(np.concatenate(pieces))
        assert whole.is_sure == cut.is_sure
        assert sure_at == sorted(sure_at)


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_without_a_threshold_everything_is_speech(threshold: float) -> None:
    assert Presence(threshold).is_sure


def test_a_model_without_phones_is_believed() -> None:
    presence = Presence(0.4)
    presence.push(None)
    assert presence.is_sure


def test_certainty_is_a_mean_over_what_sounds() -> None:
    phones = np.concatenate([sounding(0.8, 3), quiet(10), sounding(0.4, 1)])
    assert certainty(phones) == pytest.approx(0.7, abs=1e-5)
    assert certainty(quiet(5)) == 0.0


def test_the_doubt_fits_into_the_window() -> None:
    assert DOUBT < WINDOW
