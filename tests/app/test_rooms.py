from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.rooms import add_room, load_rooms
from streamasr.errors import ConfigError
from tests.conftest import noise


def test_a_room_keeps_level_and_length() -> None:
    dry = noise(8000, seed=1)
    response = np.zeros(400, np.float32)
    response[[0, 300]] = 1.0, 0.5
    wet = add_room(dry, response)
    assert len(wet) == len(dry)
    assert np.mean(wet**2) == pytest.approx(np.mean(dry**2), rel=1e-3)
    np.testing.assert_allclose(wet[300:] / wet[0] * dry[0], dry[300:] + 0.5 * dry[:-300], atol=1e-3)


def test_rooms_start_at_the_direct_path_and_large_ones_are_left_out(tmp_path: Path) -> None:
    response = np.zeros(100, np.float32)
    response[40] = 0.9
    soundfile.write(tmp_path / "a.wav", response, 16_000)
    (tmp_path / "manifest.tsv").write_text("path\trt60_s\na.wav\t0.3\na.wav\t2.0\n")
    (found,) = load_rooms(tmp_path, 0.0, 0.9)
    assert len(found) == 60
    assert found[0] == pytest.approx(0.9, abs=1e-3)
    with pytest.raises(ConfigError, match="rt60_s"):
        load_rooms(tmp_path, 0.31, 0.9)
    with pytest.raises(ConfigError, match="manifest"):
        load_rooms(tmp_path / "no", 0.0, 1.0)
