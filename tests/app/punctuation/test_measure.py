from pathlib import Path

import numpy as np

from streamasr.app.punctuation.measure import (
    Answer,
    by_network,
    by_rules,
    mean,
    measure,
    score_table,
)
from streamasr.app.train.punctuation.passages import Coded, Noise, hear
from streamasr.app.train.punctuation.text import read_words
from streamasr.edge.punctuation import OnnxNetwork, find

LINES = ["On Monday, Ada and I met.", "Was it you?", "It was Ada."]
TALK = ["Where do you live?", "I live in London.", "What time is it?", "Thank you very much."]
CODED = Coded.of(read_words(LINES))
PLAIN = Noise(0, 0, 0)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_who_writes_all_as_it_was_scores_all() -> None:
    heard = hear(CODED, rng(), None)
    scores = measure(heard, Answer(CODED.marks, np.maximum(CODED.cases, 0)))
    assert {name: score.f1 for name, score in scores.items()} == dict.fromkeys(scores, 1.0)
    assert scores["capital"].wanted == 7  # On Monday Ada I; Was; It Ada
    assert mean(scores.values()) == 1


def test_rules_know_days_and_i_and_end_utterances() -> None:
    heard = hear(CODED, rng(), PLAIN, speakers=(0, 0, 1), naming=0)
    silent = measure(heard, by_rules(heard, marks=False))
    assert silent["capital"].right == 3  # On Monday I
    assert silent["stop"].said == 0
    pauses = int((~heard.words).sum())
    ruled = measure(heard, by_rules(heard, marks=True))
    assert pauses
    assert ruled["stop"].said + ruled["question"].said == pauses


def test_a_network_answers_for_every_token_in_whatever_pieces_it_is_run() -> None:
    network = OnnxNetwork(find())
    heard = hear(Coded.of(read_words(LINES * 500)), rng(), None)
    answer = by_network(network)(heard)
    assert len(answer.marks) == len(heard.ids) == 6000
    first = by_network(network)(hear(Coded.of(read_words(LINES * 100)), rng(), None))
    assert (first.marks[:1000] == answer.marks[:1000]).all()
    talk = Coded.of(read_words(TALK * 20))
    paused = hear(talk, rng(), PLAIN, speakers=(0, 0, 1), naming=0)
    found = measure(paused, by_network(network)(paused))
    assert found["question"].f1 > 0.8
    assert found["stop"].f1 > 0.8


def test_the_table_has_a_row_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(LINES))
    table = score_table(OnnxNetwork(find()), [f"{tmp_path / 'a.txt'}:1-2"])
    assert table.row_count == 1
    assert [str(column.header) for column in table.columns[:2]] == ["text", "words"]
