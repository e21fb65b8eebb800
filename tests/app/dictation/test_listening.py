from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.dictation.listening import MicrophoneEar, Recording
from streamasr.edge import portaudio
from streamasr.edge.microphone import Heard
from streamasr.errors import DeviceError
from tests.edge.fake_sound import FakeSoundDevice, device


def test_a_recording_is_heard_whole_and_stops_when_told(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    samples = 0.1 * np.sin(np.arange(4_800) / 10)
    soundfile.write(file, samples, 16_000, subtype="FLOAT")
    with Recording(str(file)) as recording:
        heard = [item.samples for item in recording.items() if isinstance(item, Heard)]
    assert np.allclose(np.concatenate(heard), samples, atol=1e-6)
    with Recording(str(file)) as recording:
        recording.stop()
        assert len(list(recording.items())) == 1


def test_each_time_it_listens_devices_that_were_plugged_in_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeSoundDevice(device("builtin"))
    monkeypatch.setattr(portaudio, "load", lambda: fake)
    ear = MicrophoneEar("usb")
    with pytest.raises(DeviceError, match="no input device 'usb'"):
        ear().__enter__()
    fake.devices.append(device("usb headset"))
    with ear() as microphone:
        assert microphone.name == "usb headset"
