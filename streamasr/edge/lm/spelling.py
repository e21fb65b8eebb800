"""Letters to sound: how a word that no dictionary holds is likely said.

    LetterReader.read(ENGLISH).say("zork")    # [("Z", "AO", "R", "K")]

A joint-sequence model (Bisani and Ney 2008) in its plainest form: dictionary words are
cut into graphones, a letter with the phones it makes, and a back-off n-gram of graphones
ranks the ways to read a new word. `app.lm.spelling` learns it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from streamasr.edge.lm.arpa import read_arpa, write_arpa
from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.ngram import END, START, NGram

LETTERS = "'abcdefghijklmnopqrstuvwxyz"
BEAM = 24
ENGLISH = Path(__file__).with_name("english.arpa.xz")
"""Learnt from the CMU dictionary by ``scripts/learn-spelling``."""


class LetterReader:
    """Says words from their letters."""

    """Says words from their letters."""

    def __init__(self, model: NGram) -> None:
        self._model = model
        self._by_letter: dict[str, list[int]] = {letter: [] for letter in LETTERS}
        self._phones: dict[int, Phones] = {}
        for index, name in enumerate(model.words):
            letter, mark, phones = name.partition("}")
            if mark:
                self._by_letter[letter].append(index)
                self._phones[index] = tuple(p for p in phones.split("_") if p)

    @classmethod
    def read(cls, file: Path) -> Self:
        return cls(read_arpa(file))

    def write(self, file: Path) -> None:
        write_arpa(self._model, file)

    def say(self, word: str, *, variants: int = 1, within: float = 1.5) -> list[Phones]:
        """The likeliest pronunciations, best first; empty where the word has other letters.

        Further variants are given while their log-probability is ``within`` of the best.
        """
        if not word or any(letter not in self._by_letter for letter in word):
            return []
        paths: list[tuple[float, tuple[int, ...]]] = [(0.0, (START,))]
        for letter in word:
            paths = self._extend(paths, self._by_letter[letter])[:BEAM]
        paths = self._extend(paths, [END])
        found: dict[Phones, float] = {}
        for score, ids in paths:
            said = tuple(p for i in ids[1:-1] for p in self._phones[i])
            if said:
                found.setdefault(said, score)
        best = max(found.values(), default=0.0)
        ranked = sorted(found, key=lambda said: -found[said])
        return [said for said in ranked[:variants] if found[said] >= best - within]

    def _extend(
        self, paths: list[tuple[float, tuple[int, ...]]], options: list[int]
    ) -> list[tuple[float, tuple[int, ...]]]:
        """Every path by every option, best first."""
        if not options or not paths:
            return []
        base, top = self._model.base, len(self._model.orders)
        # all histories are equally long, so one array of keys scores them all
        length = min(top, len(paths[0][1]) + 1)
        histories = np.zeros(len(paths), np.int64)
        for column in range(1 - length, 0):
            histories = histories * base + np.array([ids[column] for _, ids in paths], np.int64)
        keys = (histories[:, None] * base + np.array(options, np.int64)).ravel()
        scores = self._model.score(keys, length).reshape(len(paths), -1)
        scores += np.array([score for score, _ in paths])[:, None]
        order = np.argsort(-scores, axis=None)[: 2 * BEAM]
        rows, columns = np.unravel_index(order, scores.shape)
        return [
            (float(scores[r, c]), (*paths[r][1], options[c]))
            for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
