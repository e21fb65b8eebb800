"""The graph built directly against the one that composition gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import pytest

from streamasr.app.lm.estimate import count, estimate
from streamasr.core.phones import ENTER, LABELS, PHONE_IDS, PHONES, START_WORD, STAY
from streamasr.edge.lm.graph import build_graph
from streamasr.edge.lm.lexicon import Lexicon
from streamasr.edge.lm.ngram import END, SPECIAL, START, NGram, join_ids, split_keys
from streamasr.errors import ConfigError

LEXICON: Lexicon = {
    "a": [("AH",), ("EY",)],
    "an": [("AH", "N")],
    "and": [("AH", "N", "D")],
    "to": [("T", "UW")],
    "two": [("T", "UW")],
    "today": [("T", "UW", "D", "EY")],
    "tea": [("T", "IY")],
}
TEXT = [line.split() for line in (
    "a tea and a tea", "two and two", "to an and", "today a tea to two", "and today and to",
    "two tea", "a mystery to two",
)]  # fmt: skip
WORDS = (*SPECIAL, *LEXICON, "mystery")
SILENCE = 0.3


def make_model(order: int) -> NGram:
    return estimate(WORDS, count(TEXT, WORDS, order))


def grammar_text(model: NGram) -> str:
    """G: a state for each history."""
    states: dict[tuple[int, ...], int] = {(): 1}
    for length, order in enumerate(model.orders[1:], start=1):
        for row in split_keys(np.unique(order.keys // model.base), model.base, length).tolist():
            states[tuple(row)] = len(states) + 1

    def state(history: tuple[int, ...]) -> int:
        return states[history] if history in states else state(history[1:])

    lines = [f"0 {state((START,))} 0 0 0"]
    for length, order in enumerate(model.orders, start=1):
        rows = split_keys(order.keys, model.base, length).tolist()
        for (*history, word), log in zip(rows, order.log_probs.tolist(), strict=True):
            at = states[tuple(history)]
            if word == END:
                lines.append(f"{at} {-log}")
            elif model.words[word] in LEXICON:
                goal = state((*history, word))
                lines.append(f"{at} {goal} {word + 1} {word + 1} {-log}")
    for history, at in states.items():
        if history:
            key = np.array([join_ids(history, model.base)])
            weight = -float(model.backoff(key, len(history))[0])
            lines.append(f"{at} {state(history[1:])} 0 0 {weight}")
    return "\n".join(lines) + "\n"


def lexicon_text() -> str:
    """L: any words in a row, pauses anywhere between them."""
    lines = [f"0 0 {PHONE_IDS['SIL'] + 1} 0 {-np.log(SILENCE)}", "0 0"]
    fresh = 1
    for word, ways in LEXICON.items():
        for phones in ways:
            labels = [PHONE_IDS[phone] + 1 for phone in phones]
            labels[0] += len(PHONES)
            at, output = 0, WORDS.index(word) + 1
            for index, label in enumerate(labels):
                goal = 0 if index + 1 == len(labels) else fresh
                lines.append(f"{at} {goal} {label} {output} 0")
                at, output, fresh = goal, 0, fresh + 1
    return "\n".join(lines) + "\n"


def stretch_text() -> str:
    """H: a phone lasts as long as it likes."""
    lines = []
    for now in range(len(PHONES) + 1):
        for phone in range(len(PHONES)):
            lines.append(f"{now} {phone + 1} {ENTER + phone} {phone + 1} 0")
            began = len(PHONES) + phone + 1
            lines.append(f"{now} {phone + 1} {START_WORD + phone} {began} 0")
        if now:
            lines.append(f"{now} {now} {STAY + now - 1} 0 0")
        lines.append(f"{now} 0")
    return "\n".join(lines) + "\n"


def composed(model: NGram) -> Any:
    """H o (L o G) without any optimisation: right beyond doubt, for a few words."""
    stretch, lexical = kaldifst.compile(stretch_text()), kaldifst.compile(lexicon_text())
    kaldifst.arcsort(stretch, sort_type="olabel")
    kaldifst.arcsort(lexical, sort_type="olabel")
    grammar = kaldifst.compile(grammar_text(model))
    joined = kaldifst.compose(lexical, grammar)
    return kaldifst.StdVectorFst(kaldifst.compose(stretch, joined))


def built(model: NGram, folder: Path) -> Any:
    build_graph(model, LEXICON, silence=SILENCE).write(folder / "graph.fst")
    fst = kaldifst.StdConstFst.read(str(folder / "graph.fst"))
    assert fst is not None
    return fst


def search(fst: Any, scores: np.ndarray) -> tuple[float, list[int], list[int]]:
    """Cost, input labels and output labels of the best path."""
    options = kaldi_decoder.FasterDecoderOptions(beam=1e6, max_active=1_000_000)
    decoder = kaldi_decoder.FasterDecoder(fst, options)
    decoder.init_decoding()
    decoder.advance_decoding(kaldi_decoder.DecodableCtc(scores))
    found, path = decoder.get_best_path()
    assert found
    _, inputs, outputs, weight = kaldifst.get_linear_symbol_sequence(path)
    return weight.value1 + weight.value2, inputs, outputs


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_is_the_composition_of_its_parts(order: int, tmp_path: Path) -> None:
    model = make_model(order)
    fst, oracle = built(model, tmp_path), composed(model)
    rng = np.random.default_rng(order)
    for scale in (0.5, 2.0, 4.0):
        for _ in range(4):
            scores = (scale * rng.standard_normal((25, LABELS))).astype(np.float32)
            cost, inputs, outputs = search(fst, scores)
            expected = search(oracle, scores)
            assert cost == pytest.approx(expected[0], rel=1e-4, abs=1e-3)
            assert (inputs, outputs) == expected[1:]


def said(*names: str) -> np.ndarray:
    """Scores in which these phones are clear."""
    scores = np.full((len(names), LABELS), -8.0, np.float32)
    for row, name in enumerate(names):
        for first in (STAY, ENTER, START_WORD):
            scores[row, first - 1 + PHONE_IDS[name]] = 0.0
    return scores


def test_words_are_read_with_their_starts(tmp_path: Path) -> None:
    fst = built(make_model(3), tmp_path)
    scores = said("SIL", "SIL", "T", "UW", "UW", "D", "EY", "SIL", "AH", "T", "T", "IY", "SIL")
    _, inputs, outputs = search(fst, scores)
    assert [WORDS[i - 1] for i in outputs] == ["today", "a", "tea"]
    assert [at for at, label in enumerate(inputs) if label >= START_WORD] == [2, 8, 9]


def test_the_model_tells_homophones_apart(tmp_path: Path) -> None:
    fst = built(make_model(3), tmp_path)
    _, _, outputs = search(fst, said("T", "UW", "AH", "N", "D", "T", "UW"))
    assert [WORDS[i - 1] for i in outputs] == ["two", "and", "two"]


def test_arcs_lie_by_state_and_label() -> None:
    graph = build_graph(make_model(3), LEXICON, silence=SILENCE)
    assert graph.arcs["goal"].max() < len(graph.states)
    first, arcs = graph.states["first"], graph.states["arcs"]
    assert (first[1:] == first[:-1] + arcs[:-1]).all()
    for at, size, silent in zip(first, arcs, graph.states["silent"], strict=True):
        labels = graph.arcs["input"][at : at + size]
        assert (np.diff(labels) >= 0).all()
        assert (labels == 0).sum() == silent


def test_words_without_pronunciation_are_not_in_it() -> None:
    graph = build_graph(make_model(2), {"tea": [("T", "IY")]})
    assert set(graph.arcs["output"].tolist()) == {0, WORDS.index("tea") + 1}
    with pytest.raises(ConfigError, match="pronunciation"):
        build_graph(make_model(2), {})
