from pathlib import Path

import pytest

from streamasr.app.options import Device, open_model
from streamasr.edge.engines import DEVICES
from streamasr.errors import BundleError


def test_a_model_opens_for_one_stream(tiny_bundle: Path) -> None:
    engine = open_model(str(tiny_bundle), device=Device.CPU, threads=1)
    assert engine.capacity == 1


def test_the_devices_are_those_of_the_engines() -> None:
    assert tuple(device.value for device in Device) == DEVICES


def test_an_unknown_model_is_a_bundle_error() -> None:
    with pytest.raises(BundleError, match="no model named"):
        open_model("no-such-model", device=Device.AUTO, threads=1)
