import json
from dataclasses import replace
from pathlib import Path

import pytest

from streamasr.app.train.punctuation.loop import LOG, Texts
from streamasr.app.train.punctuation.recipe import DataConfig, Recipe, load_recipe
from streamasr.app.train.punctuation.text import Part, read_words
from streamasr.core.punctuation.punctuator import Punctuator
from streamasr.core.punctuation.tokens import Case
from streamasr.edge.punctuation import OnnxNetwork, find
from streamasr.errors import ConfigError


def test_a_tiny_network_learns_marks_and_names(toy_run: Path) -> None:
    entries = [json.loads(line) for line in (toy_run / LOG).read_text().splitlines()]
    assert [entry["epoch"] for entry in entries] == list(range(6))
    assert entries[-1]["train_loss"] < entries[0]["train_loss"] / 2
    assert entries[-1]["dev_f1"] > 0.8
    assert entries[-1]["dev_capital"] > 0.8


def test_what_comes_out_is_a_model_that_reads(toy_run: Path, toy_data: Path) -> None:
    punctuator = Punctuator(OnnxNetwork(find(str(toy_run))))
    text = read_words(Part("b.txt").lines(toy_data))
    written, _ = punctuator.read(text.words, punctuator.start)
    right = sum(w.mark == mark for w, mark in zip(written, text.marks, strict=True))
    assert right > 0.85 * len(text.words)
    assert any(w.case is Case.CAPITAL for w in written)


def test_held_out_lines_are_not_learnt(toy_data: Path) -> None:
    data = DataConfig(train=("b.txt",), dev=("b.txt:1-2",), test=("b.txt:4-5",))
    texts = Texts.read(replace(Recipe(), data=data), toy_data)
    assert [len(text.ids) for text in texts.train] == [4]
    assert [len(text.ids) for text in texts.dev] == [9]
    with pytest.raises(ConfigError, match="no text to train on"):
        Texts.read(replace(Recipe(), data=replace(data, test=("b.txt:3-5",))), toy_data)


def test_a_recipe_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[train]\nepoch = 3\n")
    with pytest.raises(ConfigError, match="has no setting epoch"):
        load_recipe(file)
    shipped = load_recipe(Path(__file__).parents[4] / "recipes" / "punctuation" / "en.toml")
    assert shipped.data.test
