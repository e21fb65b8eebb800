import numpy as np

from streamasr.app.levels import LevelWatch, peak
from streamasr.core.audio import Samples
from tests.fakes import silence, tone


def notes(*blocks: Samples) -> list[str]:
    watch = LevelWatch()
    return [note for block in blocks for note in watch.accept(block)]


def test_normal_sound_needs_no_word() -> None:
    assert notes(*[tone(0.02)] * 500) == []


def test_digital_silence_is_told_once_and_again_after_sound() -> None:
    (first,) = notes(*[silence(0.02)] * 500)
    assert "digital silence" in first
    assert len(notes(silence(4), silence(4), tone(1), silence(4))) == 2


def test_a_short_pause_is_no_silence_worth_a_word() -> None:
    assert notes(silence(2), tone(0.1), silence(2), tone(0.1)) == []


def test_a_quiet_room_is_not_digital_silence() -> None:
    hiss = np.full(16_000, 2 / 32768, np.float32)
    assert notes(*[hiss] * 10) == []


def test_clipping_is_told_at_most_every_half_minute() -> None:
    clipped = np.clip(tone(1.0, level=3.0), -1, 1)
    (first,) = notes(*[clipped] * 20)
    assert "clips" in first
    assert len(notes(*[clipped] * 65)) == 3


def test_a_single_full_scale_sample_is_not_clipping() -> None:
    click = tone(1.0)
    click[100] = 1.0
    assert notes(*[click] * 5) == []


def test_peak_of_nothing_is_zero() -> None:
    assert peak(silence(0)) == 0.0
