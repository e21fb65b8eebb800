from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.app.train.classify.export import (
    compare,
    export_words,
    is_word_run,
    read_run,
    windows,
    write_graph,
)
from streamasr.app.train.classify.networks import WordNetwork
from streamasr.app.train.classify.recipe import NETWORKS, NetworkConfig, WindowConfig
from streamasr.app.train.classify.run import BEST_FILE, RESULTS_FILE
from streamasr.core.commands.words import OTHER
from streamasr.edge import bundle
from streamasr.edge.words import WordBundle, WordClassifier, load_words
from streamasr.errors import BundleError, ConfigError
from tests.conftest import DATA
from tests.words import WORDS

CLIPS = sorted((DATA / "words").glob("*.opus"))[:4]


@pytest.mark.parametrize("features", ["log-mel", "mfcc"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_onnx_equals_torch(kind: str, features: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = WindowConfig(features=features)
    network = WordNetwork(config, NetworkConfig(kind, width=16), 5)
    network.mean.fill_(-8.0)
    network.deviation.fill_(4.0)
    for norm in network.modules():  # as after training
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    network.eval()
    window = config.samples(config.frames)
    write_graph(network, window, tmp_path / bundle.ONNX_FILE)
    labels = ("a", "b", "c", "d", OTHER)
    classifier = WordClassifier(WordBundle(tmp_path, labels, window, 0.9, {}))
    some = windows(CLIPS, window)
    assert some.shape == (12, window)
    assert compare(network, classifier, some) < 1e-4
    assert np.abs(classifier(some[3:4]) - classifier(some)[3:4]).max() < 1e-4


def test_the_bundle_says_what_it_is(word_bundle: Path, run_folder: Path) -> None:
    words = load_words(word_bundle)
    assert words.labels == (*WORDS, OTHER)
    assert (words.words, words.rejects, words.window) == (WORDS, True, 16_240)
    results = json.loads((run_folder / RESULTS_FILE).read_text())
    assert words.info["results"]["test"]["accuracy"] == results["test"]["accuracy"]
    assert words.info["model"]["network"] == "conv"
    assert words.info["training"]["others"] == ["books"]
    _, network, _ = read_run(run_folder)
    some = windows(CLIPS, words.window)
    assert compare(network, WordClassifier(words), some) < 1e-4


def test_a_card_stays(run_folder: Path, word_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    shutil.copytree(word_bundle, out)
    (out / bundle.CARD_FILE).write_text("whose voices these are")
    export_words(run_folder, out, audio=CLIPS)
    assert (out / bundle.CARD_FILE).read_text() == "whose voices these are"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_graph_that_differs_is_not_written(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamasr.app.train.classify.export.TOLERANCE", -1.0)
    with pytest.raises(BundleError, match="differ by"):
        export_words(run_folder, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_refused(run_folder: Path, tmp_path: Path) -> None:
    assert is_word_run(run_folder)
    assert not is_word_run(tmp_path)
    with pytest.raises(ConfigError, match=r"no run of a word classifier: it has no word-recipe"):
        read_run(tmp_path)
    broken = tmp_path / "broken"
    shutil.copytree(run_folder, broken)
    (broken / BEST_FILE).unlink()
    with pytest.raises(ConfigError, match="it has no best"):
        export_words(broken, tmp_path / "model")
