"""Personal models among the others: written, installed, found, undone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streamasr.app.facts import read_facts, write_facts
from streamasr.app.finetune import personal
from streamasr.edge.bundle import available, find, load
from streamasr.errors import BundleError, UsageError


def made(bundle: Path, folder: Path) -> Path:
    """A folder like one that `personal.write` made."""
    shutil.copytree(bundle, folder)
    info = read_facts(folder)
    info[personal.PERSONAL] = {"base": "tiny"}
    write_facts(folder, info)
    return folder


def test_an_installed_model_is_found_by_its_name_until_it_is_removed(
    tiny_bundle: Path, tmp_path: Path, home: Path
) -> None:
    place = personal.install(made(tiny_bundle, tmp_path / "tiny-me"))
    assert place == home / "tiny-me"
    assert find("tiny-me") == place
    assert personal.personal_models() == [place]
    assert find().name == "en-small", "the default stays what it was"
    assert personal.remove("tiny-me") == place
    with pytest.raises(BundleError, match="no model named 'tiny-me'"):
        find("tiny-me")
    assert personal.personal_models() == []


def test_a_newer_one_takes_the_place_of_an_older_one(
    tiny_bundle: Path, tmp_path: Path, home: Path
) -> None:
    old = personal.install(made(tiny_bundle, tmp_path / "tiny-me"))
    (old / "old").touch()
    personal.install(tmp_path / "tiny-me")
    assert [path.name for path in home.iterdir()] == ["tiny-me"]
    assert not (old / "old").exists()


def test_models_that_are_not_personal_are_neither_replaced_nor_hidden_nor_removed(
    tiny_bundle: Path, tmp_path: Path, home: Path
) -> None:
    shutil.copytree(tiny_bundle, home / "mine")
    with pytest.raises(UsageError, match=r"a model mine already, in .*--name"):
        personal.install(made(tiny_bundle, tmp_path / "mine"))
    with pytest.raises(UsageError, match="a model en-small already"):
        personal.check_name("en-small")
    with pytest.raises(BundleError, match=r"mine is no personal model \(delete"):
        personal.remove("mine")
    assert {path.name for path in available()} >= {"mine", "en-small"}


def test_removing_what_is_not_there_tells_what_is(
    tiny_bundle: Path, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(BundleError, match=r"named 'en-small-me' \(there are: none\)"):
        personal.remove("en-small-me")
    personal.install(made(tiny_bundle, tmp_path / "tiny-ada"))
    with pytest.raises(BundleError, match=r"\(there are: tiny-ada\)"):
        personal.remove("en-small-me")


def test_a_model_without_phones_or_pieces_cannot_be_adapted(
    tiny_bundle: Path, plain_bundle: Path
) -> None:
    with pytest.raises(BundleError, match=r"tiny cannot be .* a head of 40 phones and pieces.mod"):
        personal.check_base(load(tiny_bundle))
    personal.check_base(load(plain_bundle))
    few = load(plain_bundle)
    few = replace(few, config=replace(few.config, phones=5))
    with pytest.raises(BundleError, match="it lacks a head of 40 phones"):
        personal.check_base(few)
