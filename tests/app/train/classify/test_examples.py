from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streamasr.app.manifest import Utterance
from streamasr.app.train.classify.examples import Example, divide, gather, hold_out
from streamasr.app.train.classify.recipe import WordsConfig
from streamasr.core.commands.words import OTHER
from streamasr.errors import ConfigError
from tests.words import WORDS


def find(data: Path, *, silence: float = 0.0, **settings: Any) -> tuple[tuple[str, ...], list[int]]:
    found = gather(WordsConfig(("words",), **settings), data, silence=silence, seed=1)
    return found.labels, [example.label for example in found.train]


def test_texts_are_the_labels(word_data: Path) -> None:
    labels, classes = find(word_data)
    assert labels == WORDS
    assert Counter(classes) == {0: 8, 1: 8, 2: 8}
    assert (
        len(gather(WordsConfig(("words",), test=("words",)), word_data, silence=0, seed=1).test)
        == 6
    )


def test_words_that_are_not_wanted_are_no_word(word_data: Path) -> None:
    assert find(word_data, words=("Zero", "five"))[1].count(1) == 8
    labels, classes = find(word_data, words=("zero",), other_share=0.5)
    assert labels == ("zero", OTHER)
    assert Counter(classes) == {0: 8, 1: 16 + 4}


def test_other_speech_and_silence_are_no_word(word_data: Path) -> None:
    config = WordsConfig(("words",), others=("books",), other_share=1.0)
    found = gather(config, word_data, silence=0.25, seed=1)
    others = [example for example in found.train if example.label == len(WORDS)]
    assert len(others) == 24
    assert sum(example.utterance is None for example in others) == 6
    assert not any(example.is_whole for example in others if example.utterance)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"train_splits": ("dev",)}, "no recording of words is in split dev"),
        ({"test": ("words",), "test_splits": ("none",)}, "data.test_splits"),
        ({"words": ("zero", "one")}, "too few recordings to learn 'one'"),
        ({"words": ("zero",)}, "one class is nothing to tell apart"),
        ({"others": ("words",), "other_share": 1.0}, "every recording of data.others says"),
    ],
)
def test_data_that_cannot_teach_is_refused(
    settings: dict[str, Any], complaint: str, word_data: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        find(word_data, **settings)


def examples(speakers: int, each: int, labels: int) -> list[Example]:
    return [
        Example(
            Utterance(f"{s}-{n}", Path(f"{s}-{n}"), 1.0, f"s{s}", "train", str(n % labels), "c"),
            n % labels,
        )
        for s in range(speakers)
        for n in range(each)
    ]


def test_speakers_stay_together() -> None:
    all_of_them = examples(40, 6, 3)
    parts = divide(all_of_them, 5, by_speaker=True, seed=1)
    assert sorted(index for part in parts for index in part) == list(range(240))
    assert [len(part) for part in parts] == [48] * 5
    heard = [{all_of_them[index].speaker for index in part} for part in parts]
    assert sum(map(len, heard)) == 40


def test_without_enough_speakers_every_class_is_dealt_out() -> None:
    all_of_them = examples(3, 40, 4)
    for by_speaker in (False, True):
        for part in divide(all_of_them, 5, by_speaker=by_speaker, seed=1):
            assert Counter(all_of_them[i].label for i in part) == {0: 6, 1: 6, 2: 6, 3: 6}


def test_what_is_held_out_is_not_learnt() -> None:
    kept, held = hold_out(examples(40, 5, 2), 0.1, by_speaker=True, seed=1)
    assert not set(kept) & set(held)
    assert len(held) == 20
    with pytest.raises(ConfigError, match="3 recordings cannot make 10 parts"):
        hold_out(examples(1, 3, 1), 0.1, by_speaker=True, seed=1)
