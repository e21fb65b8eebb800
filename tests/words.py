"""A real word classifier from a handful of real recordings, for the tests of what comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamasr.app.train.classify.recipe import WordRecipe, parse_recipe

DATA = Path(__file__).parent / "data"
WORDS = ("five", "right", "zero")
TINY: dict[str, Any] = {
    "data": {"train": ["words"], "test": ["words"], "hold_out": 0.25},
    "augment": {
        "room_probability": 0.0, "time_masks": 0, "band_masks": 1, "band_mask_width": 4,
        "silence_probability": 0.2,
    },
    "network": {"kind": "conv", "width": 32, "layers": 2, "dropout": 0.0},
    "train": {
        "epochs": 28, "patience": 28, "batch": 8, "copies": 4, "average": 0.9,
        "learning_rate": 4e-3, "label_smoothing": 0.0, "bf16": False,
    },
}  # fmt: skip


def tiny(**network: Any) -> WordRecipe:
    """The recipe of the tests, with another network."""
    recipe = parse_recipe(TINY)
    return replace(recipe, network=replace(recipe.network, **network))


def write_books(data: Path) -> None:
    """A corpus of the read sentences that the tests ship, under ``data``/books."""
    rows = [
        f"{clip.stem}\t{clip}\t4.5\t{clip.stem.split('-')[0]}\ttrain\tread aloud\n"
        for clip in sorted(DATA.glob("*.flac"))
    ]
    (data / "books").mkdir(parents=True)
    head = "id\tpath\tduration_s\tspeaker\tsplit\ttext\n"
    (data / "books" / "manifest.tsv").write_text(head + "".join(rows))


@pytest.fixture(scope="session")
def word_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def word_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the corpora "words" and "books"."""
    data = tmp_path_factory.mktemp("data")
    write_books(data)
    (data / "words").symlink_to(DATA / "words")
    return data


@pytest.fixture(scope="session")
def run_folder(word_data: Path, word_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learnt three words, and what is none of them, from 24 recordings of them."""
    from streamasr.app.train.classify.run import WordRun

    out = tmp_path_factory.mktemp("run")
    recipe = parse_recipe(TINY | {"data": TINY["data"] | {"others": ["books"], "other_share": 1.0}})
    WordRun(recipe, word_data, out, word_cache).train()
    return out


@pytest.fixture(scope="session")
def word_bundle(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of that run."""
    from streamasr.app.train.classify.export import export_words

    out = tmp_path_factory.mktemp("models") / "three"
    export_words(run_folder, out)
    return out
