from pathlib import Path

import pytest

from streamasr.app.train.config import Recipe, load_recipe, parse_recipe
from streamasr.errors import ConfigError

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("file", RECIPES, ids=lambda p: p.name)
def test_shipped_recipes_are_valid(file: Path) -> None:
    data = load_recipe(file).data
    assert data.dev or any(subset.startswith("dev") for subset in data.librispeech)


def test_an_empty_recipe_is_all_defaults() -> None:
    assert parse_recipe({}) == Recipe()


def test_values_are_taken_and_lists_become_tuples() -> None:
    recipe = parse_recipe(
        {"data": {"train": ["a", "b"]}, "augment": {"snr_db": [0, 20]}, "train": {"clip_norm": 2}}
    )
    assert recipe.data.train == ("a", "b")
    assert recipe.augment.snr_db == (0.0, 20.0)
    assert recipe.train.clip_norm == 2.0


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"colour": {}}, r"unknown section \[colour\]"),
        ({"train": {"epoch": 3}}, "no setting epoch"),
        ({"train": {"epochs": "many"}}, "epochs must be int, got 'many'"),
        ({"train": {"epochs": True}}, "epochs must be int"),
        ({"data": {"train": "a"}}, "train must be a list"),
        ({"augment": {"snr_db": [1]}}, "snr_db must have 2 entries"),
        ({"model": {"layers": 0}}, r"model\.layers must be at least 1"),
        ({"train": 3}, "must be a table"),
    ],
)
def test_mistakes_are_named(document: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_recipe(document)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such recipe"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_recipe(tmp_path / "broken.toml")
