"""How right marks and capitals are: rules, or a model, on text that neither has seen.

heard = hear(Coded.of(read_words(lines)), rng, None)
measure(heard, by_network(network)(heard))      # {"comma": Score, ..., "capital": Score}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from streamasr.app.f1 import Score, f1
from streamasr.app.train.punctuation.passages import Coded, Heard, hear
from streamasr.app.train.punctuation.text import Part, read_words
from streamasr.core.dictation.casing import NAMES
from streamasr.core.punctuation.punctuator import LONGEST_WAIT, Network, decide
from streamasr.core.punctuation.tokens import PAUSE, Case, Mark, features

LABELS = ("comma", "stop", "question", "capital")
ASKING = """what when where who whose which why how is are am was were do does did can could
will would shall should have has had may might isn't aren't don't doesn't didn't won't
can't"""
"""Words that a question begins with, by rule."""
CHUNK = 4096
"""Tokens of one run of the network."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Marks and cases [n] for n tokens."""

    marks: NDArray[np.int8]
    cases: NDArray[np.int8]


Answering = Callable[[Heard], Answer]


def by_rules(heard: Heard, *, marks: bool) -> Answer:
    """Days, months and "I" with a capital; with ``marks`` a full stop at each pause, or a
    question mark where the utterance begins as questions do."""
    answer = Answer(
        np.zeros(len(heard.ids), np.int8), _among(heard.ids, NAMES).astype(np.int8) * Case.CAPITAL
    )
    if marks:
        (pauses,) = np.nonzero(_among(heard.ids, [PAUSE]))
        asks = _among(heard.ids, ASKING.split())
        starts = np.concatenate([[0], pauses[:-1] + 1])
        kinds = np.where(asks[starts], Mark.QUESTION, Mark.STOP)
        answer.marks[np.maximum(pauses - 1, 0)] = kinds
    return answer


def by_network(network: Network, *, waits: int = LONGEST_WAIT) -> Answering:
    """What the model says, as dictation asks it: nothing waits for more than a pause."""

    def answer(heard: Heard) -> Answer:
        memory, scores = network.start, []
        for at in range(0, len(heard.ids), CHUNK):
            said, memory = network.run(heard.ids[at : at + CHUNK].astype(np.int64), memory)
            scores.append(said)
        whole = np.concatenate(scores)
        written = decide(whole, waits=waits)
        marks = np.array([w.mark for w in written], np.int8)
        before_pause = np.append(~heard.words[1:], False)
        marks[before_pause] = [
            w.mark
            for w, is_last in zip(decide(whole, waits=1), before_pause, strict=True)
            if is_last
        ]
        return Answer(marks, np.array([w.case for w in written], np.int8))

    return answer


def measure(heard: Heard, answer: Answer) -> dict[str, Score]:
    """Scores by `LABELS`; capitals as they are written, those at sentence starts too."""
    is_word = heard.words
    wanted, said = heard.marks[is_word], answer.marks[is_word]
    found = {mark.name.lower(): f1(said, wanted, mark) for mark in list(Mark)[1:]}
    # what a sentence begins with has an unknown case, and is written with a capital
    has_capital = heard.cases[is_word] != Case.LOWER
    gets_capital = (answer.cases[is_word] != Case.LOWER) | _begins(said)
    return found | {"capital": f1(gets_capital, has_capital, True)}


def mean(scores: Iterable[Score]) -> float:
    """The mean F1 of several labels."""
    found = [score.f1 for score in scores]
    return sum(found) / len(found)


def _begins(marks: NDArray[np.int8]) -> NDArray[np.bool_]:
    """The words after which marks have a sentence begin, and the first."""
    return np.concatenate([[True], np.isin(marks[:-1], (Mark.STOP, Mark.QUESTION))])


def _among(ids: NDArray[np.int32], words: Iterable[str]) -> NDArray[np.bool_]:
    wanted = {features(word) for word in words}
    return np.array([tuple(row) in wanted for row in ids.tolist()], np.bool_)


def score_table(network: Network, texts: Iterable[str]) -> Table:
    """A table of the model's scores on texts as `Part` names them; raises ConfigError."""
    table = Table("text", "words", *(f"{label} F1" for label in LABELS))
    for name in texts:
        coded = Coded.of(read_words(Part.parse(name).lines(Path())))
        heard = hear(coded, np.random.default_rng(0), None)
        found = measure(heard, by_network(network)(heard))
        figures = [f"{100 * found[label].f1:.1f}" for label in LABELS]
        table.add_row(name, f"{len(coded.ids):,}", *figures)
    return table
