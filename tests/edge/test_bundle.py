"""Bundles: found by name, refused when a part is missing, changed, or disagrees."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from streamasr.edge import bundle
from streamasr.errors import BundleError


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_whole_bundle_loads(tiny_bundle: Path) -> None:
    loaded = bundle.load(tiny_bundle)
    assert loaded.facts.name == "tiny"
    assert loaded.facts.step_samples == loaded.config.step_samples == 1280
    assert len(loaded.facts.units) == loaded.config.units
    assert loaded.info["decode"]["latency_ms"] == loaded.facts.latency_ms


@pytest.mark.parametrize("other", ["1", "2", "99"])
def test_a_bundle_of_another_format_is_refused_with_the_remedy(copied: Path, other: str) -> None:
    edit(copied / "bundle.toml", f"format = {bundle.FORMAT}", f"format = {other}")
    with pytest.raises(BundleError, match=f"has format {other}") as refused:
        bundle.load(copied)
    assert "export the model again" in refused.value.remedy


@pytest.mark.parametrize("part", ["units.txt", "model.onnx", "weights.safetensors"])
def test_a_missing_part_is_named(copied: Path, part: str) -> None:
    (copied / part).unlink()
    with pytest.raises(BundleError, match=part):
        bundle.load(copied)


@pytest.mark.parametrize("part", ["units.txt", "model.onnx", "weights.safetensors"])
def test_a_changed_part_is_named(copied: Path, part: str) -> None:
    with (copied / part).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=f"{part} is not the file"):
        bundle.load(copied)


def test_a_folder_without_facts_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle\.toml"):
        bundle.load(tmp_path)


def spoil_toml(path: Path) -> None:
    path.write_text("[[[")


def another_format(path: Path) -> None:
    edit(path, f"format = {bundle.FORMAT}", "format = 9")


def another_rate(path: Path) -> None:
    edit(path, "sample_rate = 16000", "sample_rate = 8000")


def more_units(path: Path) -> None:
    edit(path, "units = 6", "units = 7")


def unknown_dial(path: Path) -> None:
    edit(path, "mels = 40", "mels = 40\nflavour = 1")


def no_checksums(path: Path) -> None:
    path.write_text(path.read_text().split("[checksums]")[0])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_toml, "cannot read"),
        (another_format, "format 9.*reads format 3"),
        (another_rate, "8000 Hz"),
        (more_units, "6 units, the network 7"),
        (unknown_dial, "flavour"),
        (no_checksums, "lacks checksums"),
    ],
)
def test_facts_that_do_not_fit_are_named(
    copied: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(copied / "bundle.toml")
    with pytest.raises(BundleError, match=said):
        bundle.load(copied)


def test_models_are_found_by_name_and_by_folder(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(tiny_bundle, home / "streamasr" / "models" / "mine")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    assert bundle.find("mine") == home / "streamasr" / "models" / "mine"
    assert bundle.find(str(tiny_bundle)) == tiny_bundle
    assert home / "streamasr" / "models" / "mine" in bundle.available()


def test_an_unknown_model_lists_those_there_are(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "streamasr" / "models" / "mine")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(BundleError, match=r"no model named 'theirs'.*mine"):
        bundle.find("theirs")
