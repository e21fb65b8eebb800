"""Real speech through the shipped network: an order, and read books that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.mixing import read_clip
from streamasr.core.graph import GraphModel
from streamasr.core.recognizer import Engine
from streamasr.edge.commands.grammar import CommandGrammar, compile_sentences
from streamasr.edge.commands.listener import (
    AWAKE_S,
    CommandListener,
    Guessed,
    Heard,
    Rejected,
    Understood,
    Woke,
)
from streamasr.edge.commands.sentences import Sentences, read_sentences
from streamasr.edge.commands.wake import make_spotter
from streamasr.edge.engines import open_engine
from tests.conftest import CLIP_TEXTS, DATA

ORDER = read_clip(DATA / "orders" / "order-1aa31732.flac")
COFFEE = """
[lists]
drink = ["coffee", "latte", "mocha", "tea"]
size = ["small", "eight ounce", "twelve ounce"]
[intents.Order]
sentences = ["(give me|make me|i want|can i get) (a|an) {size} {drink}"]
"""
MEANT = {"size": "eight ounce", "drink": "coffee"}


@pytest.fixture(scope="module")
def engine(spoken_bundle: Path) -> Engine:
    return open_engine(spoken_bundle, device="cpu", decoder="graph")


@pytest.fixture(scope="module")
def base(engine: Engine) -> GraphModel:
    assert engine.facts.graph is not None
    return engine.facts.graph


def compiled(folder: Path, text: str, base: GraphModel) -> CommandGrammar:
    file = folder / "home.toml"
    file.write_text(text)
    return compile_sentences(read_sentences(file), base)


def hear(listener: CommandListener, samples: np.ndarray) -> list[Heard]:
    told = []
    for start in range(0, len(samples), 1600):
        told += listener.accept(samples[start : start + 1600])
    return told


def test_an_order_is_understood_as_it_is_spoken(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    with CommandListener(engine, compiled(tmp_path, COFFEE, base), partials=True) as listener:
        *guesses, last = hear(listener, ORDER) + listener.finish()
    assert isinstance(last, Understood)
    assert (last.intent, last.slots) == ("Order", MEANT)
    assert last.text == "make me an eight ounce coffee"
    assert 0.5 < last.confidence <= 1
    assert 16_000 < last.start < last.end < len(ORDER)
    assert guesses
    assert all(isinstance(guess, Guessed) and guess.guess.names == ("Order",) for guess in guesses)


def test_a_pause_does_not_cut_an_order_and_its_end_is_not_waited_for(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    before, after = ORDER[: round(2.75 * 16_000)], ORDER[round(2.75 * 16_000) :]
    ends = round(3.35 * 16_000) - len(before)  # where "coffee" does
    silence = np.zeros(16_000, np.float32)
    with CommandListener(engine, compiled(tmp_path, COFFEE, base)) as listener:
        assert hear(listener, np.concatenate([before, silence])) == []
        told = hear(listener, np.concatenate([after[:ends], silence[:8000]]))
        assert [type(heard) for heard in told] == [Understood]
        assert listener.finish() == []
    goes_on = COFFEE.replace("{drink}", "{drink} [please]")
    with CommandListener(engine, compiled(tmp_path, goes_on, base)) as listener:
        assert hear(listener, np.concatenate([before, after[:ends], silence[:8000]])) == []
        assert [type(heard) for heard in hear(listener, silence)] == [Understood]


@pytest.mark.parametrize("clip", CLIP_TEXTS)
def test_what_is_no_order_is_rejected(
    clip: str, tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    with CommandListener(engine, compiled(tmp_path, COFFEE, base)) as listener:
        told = hear(listener, read_clip(DATA / clip)) + listener.finish()
    assert all(isinstance(heard, Rejected) and heard.confidence < 0.3 for heard in told)


def test_an_order_that_the_grammar_lacks_is_rejected(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    other = COFFEE.replace('"coffee", ', "").replace('"eight ounce", ', "")
    with CommandListener(engine, compiled(tmp_path, other, base)) as listener:
        told = hear(listener, ORDER) + listener.finish()
    assert [type(heard) for heard in told] == [Rejected]


def test_another_grammar_holds_from_the_next_utterance_on(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    first = compiled(tmp_path, COFFEE, base)
    second = compiled(tmp_path, COFFEE.replace("intents.Order", "intents.Brew"), base)
    with CommandListener(engine, first) as listener:
        told = hear(listener, ORDER[: 2 * 16_000])
        listener.change(second, threshold=0.5, spotter=None)
        told += hear(listener, ORDER[2 * 16_000 :]) + hear(listener, ORDER) + listener.finish()
    assert [heard.intent for heard in told if isinstance(heard, Understood)] == ["Order", "Brew"]


def test_another_threshold_and_wake_phrase_hold_from_the_next_utterance_on(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    grammar = compiled(tmp_path, COFFEE, base)
    spotter = make_spotter("hey computer", {}, base, Sentences(tmp_path / "home.toml"))
    with CommandListener(engine, grammar) as listener:
        told = hear(listener, ORDER[: 2 * 16_000])
        listener.change(grammar, threshold=1.0, spotter=None)
        told += hear(listener, ORDER[2 * 16_000 :]) + hear(listener, ORDER) + listener.flush()
        assert [type(heard) for heard in told] == [Understood, Rejected]
        told = hear(listener, ORDER[: 2 * 16_000])
        listener.change(grammar, threshold=0.5, spotter=spotter)
        told += hear(listener, ORDER[2 * 16_000 :]) + hear(listener, ORDER) + listener.flush()
        assert [type(heard) for heard in told] == [Rejected]
        listener.change(grammar, threshold=0.5, spotter=None)
        told = hear(listener, ORDER) + listener.finish()
    assert [type(heard) for heard in told] == [Understood]


def listening(tmp_path: Path, engine: Engine, base: GraphModel, phrase: str) -> CommandListener:
    file = Sentences(tmp_path / "home.toml")
    spotter = make_spotter(phrase, {"threshold": -1.5}, base, file)
    return CommandListener(engine, compiled(tmp_path, COFFEE, base), spotter=spotter)


def test_without_the_wake_phrase_nothing_is_heard(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    with listening(tmp_path, engine, base, "hey computer") as listener:
        assert hear(listener, ORDER) + listener.finish() == []


def test_after_the_wake_phrase_an_order_is_heard_and_then_no_more(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    phrase = "surprised"  # the reader of a clip says it
    clip = read_clip(DATA / "1970-28415-0030.flac")
    with listening(tmp_path, engine, base, phrase) as listener:
        told = hear(listener, np.concatenate([clip[: round(2.6 * 16_000)], ORDER, ORDER]))
        told += listener.finish()
    assert [type(heard) for heard in told if not isinstance(heard, Rejected)] == [Woke, Understood]


def test_what_follows_an_order_at_once_is_not_heard(
    tmp_path: Path, engine: Engine, base: GraphModel
) -> None:
    clip = read_clip(DATA / "1970-28415-0030.flac")[: round(2.6 * 16_000)]
    order = ORDER[round(1.4 * 16_000) : round(3.35 * 16_000)]
    pause = np.zeros(round(0.6 * 16_000), np.float32)  # the gate has not closed yet
    sound = np.concatenate([clip, pause, order, pause, order])
    with listening(tmp_path, engine, base, "surprised") as listener:
        told: list[Heard] = []
        for start in range(0, len(sound), 8000):  # the next utterance begins with what ends one
            told += listener.accept(sound[start : start + 8000])
        told += listener.finish()
    assert [type(heard) for heard in told if not isinstance(heard, Rejected)] == [Woke, Understood]


def test_it_falls_asleep_again(tmp_path: Path, engine: Engine, base: GraphModel) -> None:
    clip = read_clip(DATA / "1970-28415-0030.flac")[: round(2.6 * 16_000)]
    silence = np.zeros(round((AWAKE_S + 1) * 16_000), np.float32)
    with listening(tmp_path, engine, base, "surprised") as listener:
        told = hear(listener, np.concatenate([clip, silence, ORDER])) + listener.finish()
    assert [type(heard) for heard in told if not isinstance(heard, Rejected)] == [Woke]


def said(word: str) -> np.ndarray:
    return read_clip(sorted((DATA / "words").glob(f"{word}_*.opus"))[0])


def test_a_word_of_a_classifier_wakes(
    tmp_path: Path, engine: Engine, base: GraphModel, word_bundle: Path
) -> None:
    sentences = Sentences(tmp_path / "home.toml")
    table = {"model": str(word_bundle), "word": "zero", "threshold": 0.5}
    spotter = make_spotter(None, table, base, sentences)
    pause = np.zeros(8_000, np.float32)
    with CommandListener(engine, compiled(tmp_path, COFFEE, base), spotter=spotter) as listener:
        told = hear(listener, np.concatenate([pause, said("right"), pause, ORDER]))
        assert told == []
        told = hear(listener, np.concatenate([pause, said("zero"), pause, pause, ORDER]))
        told += listener.finish()
    kinds = [type(heard) for heard in told if not isinstance(heard, Rejected)]
    assert kinds == [Woke, Understood]
    assert told[0].score >= 0.5
