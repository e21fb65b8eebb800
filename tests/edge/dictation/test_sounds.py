import io

import numpy as np
import soundfile

from streamasr.edge.dictation.sounds import LEVEL, TONES, wav


def test_the_sounds_are_short_quiet_and_not_the_same() -> None:
    heard = {}
    for name in TONES:
        samples, rate = soundfile.read(io.BytesIO(wav(name)))
        assert len(samples) / rate < 0.3
        assert 0 < np.abs(samples).max() <= LEVEL
        heard[name] = samples
    assert not np.array_equal(*heard.values())
