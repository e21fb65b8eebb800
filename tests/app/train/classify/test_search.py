from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from streamasr.app.train.classify.recipe import SearchConfig, load_recipe
from streamasr.app.train.classify.run import WordRun
from streamasr.app.train.classify.search import BEST_FILE, SEARCH_FILE, search
from tests.words import tiny


def test_a_search_tries_and_takes_the_best(
    word_data: Path, word_cache: Path, tmp_path: Path
) -> None:
    ranges = SearchConfig(epochs=2, width=(8, 16), learning_rate=(1e-4, 2e-2))
    run = WordRun(replace(tiny(), search=ranges), word_data, tmp_path, word_cache)
    chosen = search(run, 3)
    rows = [json.loads(line) for line in (tmp_path / SEARCH_FILE).read_text().splitlines()]
    assert [row["trial"] for row in rows] == [0, 1, 2]
    assert all(row["outcome"] == "finished" and row["epochs"] == 2 for row in rows)
    assert all(row["width"] in (8, 16) and 1e-4 <= row["learning_rate"] <= 2e-2 for row in rows)
    best = max(rows, key=lambda row: row["accuracy"])["accuracy"]
    won = next(row for row in rows if row["learning_rate"] == chosen.train.learning_rate)
    assert won["accuracy"] == best
    assert chosen.network.width == won["width"]
    assert chosen.train.epochs == tiny().train.epochs  # not those of a trial
    assert load_recipe(tmp_path / BEST_FILE) == chosen
