from pathlib import Path

import pytest

from streamasr.app.options import Device, open_model, parse_hotwords
from streamasr.core.hotwords import HotWord
from streamasr.edge.engines import DEVICES
from streamasr.errors import BundleError, UsageError


def test_a_model_opens_for_one_stream(tiny_bundle: Path) -> None:
    engine = open_model(str(tiny_bundle), device=Device.CPU, threads=1)
    assert engine.capacity == 1


def test_the_devices_are_those_of_the_engines() -> None:
    assert tuple(device.value for device in Device) == DEVICES


def test_hot_words_come_from_a_file_or_a_list(tmp_path: Path) -> None:
    file = tmp_path / "names"
    file.write_text("Ada Byron\n\n zork: 9\n")
    assert parse_hotwords(str(file)) == (HotWord("Ada Byron"), HotWord("zork", 9.0))
    assert parse_hotwords("Ada Byron,zork:9") == parse_hotwords(str(file))
    assert parse_hotwords(None) == parse_hotwords("") == ()
    many = ",".join(["Ada Byron"] * 100)  # longer than a file's name may be
    assert len(parse_hotwords(many)) == 100


@pytest.mark.parametrize("missing", ["names.txt", "./names"])
def test_a_file_of_hot_words_that_is_not_there_is_no_hot_word(missing: str) -> None:
    with pytest.raises(UsageError, match="cannot read names"):
        parse_hotwords(missing)


def test_hot_words_are_text(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"fLaC\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        parse_hotwords(str(tmp_path / "clip"))


def test_an_unknown_model_is_a_bundle_error() -> None:
    with pytest.raises(BundleError, match="no model named"):
        open_model("no-such-model", device=Device.AUTO, threads=1)
