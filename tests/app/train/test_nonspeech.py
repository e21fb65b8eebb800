import numpy as np
import pytest

from streamasr.app.train.nonspeech import coloured_noise, music


@pytest.mark.parametrize("make", [coloured_noise, music])
@pytest.mark.parametrize("count", [160, 16_000, 50_001])
def test_sounds_have_the_length_asked_for_and_peak_at_one(make, count: int) -> None:
    sound = make(count, np.random.default_rng(count))
    assert sound.shape == (count,)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == pytest.approx(1.0)


def test_sounds_differ_from_draw_to_draw_and_repeat_with_their_seed() -> None:
    for make in (coloured_noise, music):
        one, again = (make(8000, np.random.default_rng(1)) for _ in range(2))
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, make(8000, np.random.default_rng(2)))


def test_coloured_noise_loses_power_towards_high_frequencies() -> None:
    rng = np.random.default_rng(0)
    falls = []
    for _ in range(20):
        power = np.abs(np.fft.rfft(coloured_noise(16_000, rng))) ** 2
        falls.append(power[100:1000].mean() / power[4000:8000].mean())
    assert min(falls) > 0.8
    assert max(falls) > 20
