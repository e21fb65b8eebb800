import numpy as np
import pytest
import soundfile

from streamasr.app.train.codecs import CODECS, Codec, Floats, through_codec
from tests.conftest import DATA

NAMES = [codec.coding for codec in CODECS]


@pytest.fixture(scope="module")
def speech() -> Floats:
    samples, _ = soundfile.read(DATA / "1970-28415-0030.flac", dtype="float32")
    return np.asarray(samples, np.float32)


def shift(heard: Floats, said: Floats) -> int:
    """Samples by which one lags behind the other, where they correlate most."""
    size = 2 * len(said)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    place = int(np.fft.irfft(spectrum).argmax())
    return place if place < len(said) else place - size


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
@pytest.mark.parametrize("count", [1, 6_999, 48_000])
def test_what_comes_out_is_as_long_as_what_went_in(
    codec: Codec, count: int, speech: Floats
) -> None:
    heard = codec(speech[:count], np.random.default_rng(1))
    assert heard.dtype == np.float32
    assert len(heard) == count


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_speech_stays_in_its_place_and_is_not_what_it_was(
    codec: Codec, seed: int, speech: Floats
) -> None:
    heard = codec(speech, np.random.default_rng(seed))
    assert abs(shift(heard, speech)) <= 8  # half a millisecond
    assert np.corrcoef(heard, speech)[0, 1] > 0.7
    assert np.abs(heard - speech).max() > 1e-3


def test_a_telephone_has_nothing_above_four_kilohertz(speech: Floats) -> None:
    for codec in CODECS:
        if codec.rate == 8_000:
            power = np.abs(np.fft.rfft(codec(speech, np.random.default_rng(0)))) ** 2
            frequency = np.fft.rfftfreq(len(speech), 1 / 16_000)
            assert power[frequency > 4_200].sum() < 1e-4 * power.sum()


def test_every_codec_has_its_turn_and_a_seed_repeats_it(speech: Floats) -> None:
    short = speech[16_000:24_000]
    results = {through_codec(short, np.random.default_rng(n)).tobytes() for n in range(40)}
    assert len(results) >= len(CODECS)
    np.testing.assert_array_equal(
        through_codec(short, np.random.default_rng(3)),
        through_codec(short, np.random.default_rng(3)),
    )
