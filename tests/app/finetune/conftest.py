"""Speech of one person, made of the bundled clips, and a home for personal models."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streamasr.app.finetune import gathering, running
from streamasr.app.finetune.gathering import Speech, gather
from streamasr.app.train.export import read_speech, write_bundle
from streamasr.core.units import Units
from streamasr.edge.bundle import PIECES_FILE, UNITS_FILE, find
from tests.conftest import CLIP_TEXTS, DATA


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "streamasr" / "models"


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with the phones and the units of the shipped one.

    Its weights are random, and it writes nothing.
    """
    import torch

    from streamasr.core.model import ModelConfig
    from streamasr.core.network import AcousticModel

    shipped = find()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = ModelConfig(
        mels=40, conv_channels=8, width=32, layers=1, units=512, phones=40, speller_layers=1,
        speller_width=24, writer_width=16,
    )  # fmt: skip
    model = AcousticModel(config).eval()
    model.log_mel.mean.fill_(-8.0)
    model.log_mel.deviation.fill_(4.0)
    with torch.no_grad():
        model.speller.head.bias[0] = model.writer.head.bias[0] = 20.0
    out = tmp_path_factory.mktemp("models") / "small"
    units = Units.parse((shipped / UNITS_FILE).read_text())
    pieces = (shipped / PIECES_FILE).read_bytes()
    speech = read_speech([DATA / name for name in CLIP_TEXTS], config.step_samples)
    write_bundle(out, model, units, speech, pieces=pieces, phone_delay_ms=120.0)
    return out


def record(folder: Path, copies: int = 2) -> Path:
    """The bundled clips as files beside their texts: 14 s a copy."""
    folder.mkdir()
    for copy in range(copies):
        for name, text in CLIP_TEXTS.items():
            shutil.copy(DATA / name, folder / f"{copy}-{name}")
            (folder / f"{copy}-{name}").with_suffix(".txt").write_text(text)
    return folder


@pytest.fixture
def little_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute, so that a test takes seconds."""
    monkeypatch.setattr(gathering, "LEAST_S", 20.0)


@pytest.fixture
def all_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """To random weights every text fits as badly."""
    monkeypatch.setattr(running, "LEAST_SCORE", -99.0)


@pytest.fixture
def speech(tmp_path: Path, little_is_enough: None) -> Speech:
    return gather(record(tmp_path / "speech"))
