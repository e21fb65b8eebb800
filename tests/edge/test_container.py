from __future__ import annotations

import numpy as np
import pytest

from streamasr.core.wavstream import WavDoor
from streamasr.edge.container import ContainerDoor
from streamasr.edge.opus import OggOpusDoor
from streamasr.errors import AudioFormatError
from tests.core.test_oggstream import opus_file
from tests.dialects.conftest import Clip
from tests.fakes import tone


def test_the_first_bytes_choose_the_door() -> None:
    wav = Clip("", tone(0.3)).wav()
    for data, door in ((wav, WavDoor()), (opus_file(), OggOpusDoor())):
        container = ContainerDoor()
        parts = [container.accept(data[at : at + 3]) for at in range(0, len(data), 3)]
        assert np.array_equal(np.concatenate(parts), door.accept(data))


def test_neither_is_refused_and_nothing_is_legal() -> None:
    with pytest.raises(AudioFormatError):
        ContainerDoor().accept(b"\x1aE\xdf\xa3")
    assert not len(ContainerDoor().finish())
