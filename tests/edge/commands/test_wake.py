from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamasr.core.commands.wake import SLACK, Spotter
from streamasr.core.commands.words import WordSpotter
from streamasr.edge.commands.sentences import Sentences
from streamasr.edge.commands.wake import make_spotter, wake_name
from streamasr.errors import BundleError, ConfigError
from tests.graphs import LEXICON, phones, toy_model

GRAPH = replace(
    toy_model(), pronounce=lambda words: {word: LEXICON[word] for word in words if word in LEXICON}
)
FILE = Sentences(Path("home.toml"))


def test_any_phrase_becomes_a_spotter() -> None:
    spotter = make_spotter("Turn lights!", {}, GRAPH, FILE)
    assert isinstance(spotter, Spotter)
    assert spotter.threshold == pytest.approx(-7 * SLACK)
    assert spotter.push(phones("SIL T ER N L AY T S SIL"))
    assert make_spotter(None, {}, GRAPH, FILE) is None
    chosen = make_spotter(None, {"phrase": "zorkmid lights", "threshold": -2}, GRAPH, FILE)
    assert chosen is not None
    assert chosen.threshold == -2


@pytest.mark.parametrize(
    ("phrase", "table", "complaint"),
    [
        ("on", {}, "too short"),
        ("привет", {}, "cannot be spoken"),
        ("...", {}, "nobody knows how to say nothing"),
        (None, {"sound": "x"}, "wake: unknown: sound"),
        (None, {"word": "x"}, "wake.word is one of a classifier"),
        (None, {"model": "three", "phrase": "turn lights"}, "a phrase and a model"),
        (None, {"model": 3}, "wake.model is the name or folder"),
        (None, {"model": "three", "word": 3}, "wake.word is a text"),
        (None, {"model": "three", "threshold": -1}, r"of a model lies in 0..1, got -1"),
        ("turn lights", {"threshold": 1}, "wake.threshold is 0 or less"),
    ],
)
def test_what_cannot_be_a_wake_phrase_is_refused(
    phrase: str | None, table: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_spotter(phrase, table, GRAPH, FILE)


def test_a_word_of_a_classifier_becomes_a_spotter(word_bundle: Path, tmp_path: Path) -> None:
    table = {"model": str(word_bundle), "word": "Zero", "threshold": 0.7}
    spotter = make_spotter(None, table, GRAPH, FILE)
    assert isinstance(spotter, WordSpotter)
    assert spotter.threshold == 0.7
    beside = Sentences(word_bundle.parent / "home.toml")
    assert isinstance(make_spotter(None, {"model": "three"}, GRAPH, beside), WordSpotter)
    # a phrase on the command line is said instead
    assert isinstance(make_spotter("turn lights", table, GRAPH, FILE), Spotter)
    with pytest.raises(ConfigError, match=r"does not know 'alexa' .it knows five, right, zero"):
        make_spotter(None, table | {"word": "alexa"}, GRAPH, FILE)
    with pytest.raises(BundleError, match="no model named 'nobody'"):
        make_spotter(None, {"model": "nobody"}, GRAPH, Sentences(tmp_path / "home.toml"))


def test_a_recogniser_is_no_word_classifier(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"is no word classifier .make one with"):
        make_spotter(None, {"model": str(tiny_bundle)}, GRAPH, FILE)


def test_what_wakes_has_a_name() -> None:
    assert wake_name("hey you", {"phrase": "hey"}) == "hey you"
    assert wake_name(None, {"phrase": "hey"}) == "hey"
    assert wake_name(None, {"model": "models/three", "word": "zero"}) == "zero"
    assert wake_name(None, {"model": "models/three"}) == "three"
    assert wake_name(None, {}) == ""


def test_a_classifier_that_rejects_nothing_is_warned_of(
    word_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "four"
    shutil.copytree(word_bundle, folder)
    facts = folder / "bundle.toml"
    facts.write_text(facts.read_text().replace('"_other"', '"other"'))
    make_spotter(None, {"model": str(folder)}, GRAPH, FILE)
    assert "four never learnt what is no word" in caplog.text
