from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamasr.app.train.classify.recipe import (
    NETWORKS,
    WindowConfig,
    load_recipe,
    parse_recipe,
    with_network,
)
from streamasr.errors import ConfigError

RECIPES = sorted((Path(__file__).parents[4] / "recipes" / "words").glob("*.toml"))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.name)
def test_the_recipes_that_ship_can_be_read(file: Path) -> None:
    recipe = load_recipe(file)
    for kind in NETWORKS:
        assert with_network(recipe, kind).network.kind == kind


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({}, "data.train names no corpus"),
        ({"units": {}}, r"unknown section \[units\] \(known: data, window"),
        ({"data": {"train": "words"}}, r"\[data\] train must be a list"),
        ({"data": {"train": ["x"], "others": ["y"]}}, "never heard"),
        ({"network": {"kind": "transformer"}}, "network.kind is 'transformer'.*one of conv"),
        ({"window": {"features": "plp"}}, "window.features is 'plp'"),
        ({"window": {"shift_s": 0.6}}, r"window.shift_s is 0.6, must lie in 0..0.5"),
        ({"window": {"coefficients": 64}}, "window.coefficients is 64, must lie in 5..40"),
        ({"train": {"batch": 1}}, "train.batch is 1"),
        ({"train": {"epoch": 3}}, "has no setting epoch"),
        ({"data": {"train": ["x"], "hold_out": 0.9}}, "data.hold_out is 0.9"),
    ],
)
def test_what_makes_no_sense_is_named(document: dict[str, Any], complaint: str) -> None:
    whole = {"data": {"train": ["x"]}, **document} if document else {}
    with pytest.raises(ConfigError, match=complaint):
        parse_recipe(whole)


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--network: network.kind is 'cnn'"):
        with_network(parse_recipe({"data": {"train": ["x"]}}), "cnn")


def test_a_window_holds_its_frames_and_what_they_look_back_on() -> None:
    window = WindowConfig(window_s=1.0, shift_s=0.1)
    assert (window.frames, window.shift_frames, window.samples(100)) == (100, 10, 16_240)
    assert window.size == 40
    assert WindowConfig(features="mfcc", coefficients=13).size == 13
