"""Training on text alone: sentences as phones, played to the layers above the phone head.

Hundreds of hours of speech teach a network to spell; a few hours do not. Text is to be
had in any amount, and only the top of the network needs it: a sentence is turned into
phones by the lexicon, the phones into posteriors by a `PhoneBank`, and those layers learn
its units as if it had been said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamasr.app.lm.sentences import HeldOut, read_sentences
from streamasr.app.train.config import TextConfig
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.phonebank import PhoneBank
from streamasr.core.phones import PHONE_IDS, SILENCE
from streamasr.edge.lm.lexicon import Phones, read_cmudict
from streamasr.errors import ConfigError

Ints = NDArray[np.int64]
LONGEST_WORDS = 40
EMISSIONS_PER_PHONE = 2.2
"""Of 40 ms in read speech, pauses included: only to size batches."""
FIRST_WAY = 0.7
"""How often a word is said in the first of its ways."""


class TextBatch(NamedTuple):
    phones: Tensor  # float32 [batch, emissions, phones], probabilities
    steps: Tensor  # int64 [batch]
    targets: Tensor  # int64, all sentences' units one after another
    target_lengths: Tensor  # int64 [batch]


class TextSource:
    """Sentences that the lexicon can say, by length, and batches of them."""

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        lexicon: Mapping[str, Sequence[Phones]],
        config: TextConfig,
    ) -> None:
        said = [
            s for s in sentences if 0 < len(s) <= LONGEST_WORDS and all(w in lexicon for w in s)
        ]
        if not said:
            raise ConfigError("the lexicon can say no sentence of [text] files")
        self.sentences = sorted(said, key=lambda s: sum(len(lexicon[w][0]) for w in s))
        self._ways = {
            word: [np.array([PHONE_IDS[p] for p in way]) for way in ways]
            for word, ways in lexicon.items()
        }
        self._config = config

    @classmethod
    def load(cls, config: TextConfig, data: Path, held_out: Sequence[str]) -> TextSource:
        """Read the files, leaving out what lies near ``held_out`` sentences."""
        held = HeldOut(held_out)
        sentences = [s for name in config.files for s in held.filter(read_sentences(data / name))]
        return cls(sentences, read_cmudict(), config)

    def batch(
        self,
        bank: PhoneBank,
        tokeniser: Tokeniser,
        *,
        emissions: int,
        outputs_per_step: int,
        rng: np.random.Generator,
    ) -> TextBatch:
        """Sentences of like length, about so many ``emissions`` in all."""
        at = int(rng.integers(len(self.sentences)))
        texts, spoken, total = [], [], 0
        for sentence in self.sentences[at:]:
            phones = self._say(sentence, rng)
            texts.append(" ".join(sentence))
            spoken.append(phones)
            total += round(len(phones) * EMISSIONS_PER_PHONE)
            if total >= emissions:
                break
        played, lengths = bank.play(spoken, rng)
        steps = [-(-length // outputs_per_step) for length in lengths]
        rows = np.zeros(
            (len(played), max(steps) * outputs_per_step, played[0].shape[1]), np.float32
        )
        rows[:, :, SILENCE] = 1.0
        for row, part in zip(rows, played, strict=True):
            row[: len(part)] = part
        targets = [tokeniser.encode(text) for text in texts]
        return TextBatch(
            phones=torch.from_numpy(rows),
            steps=torch.tensor(steps),
            targets=torch.tensor([unit for ids in targets for unit in ids]),
            target_lengths=torch.tensor([len(ids) for ids in targets]),
        )

    def _say(self, sentence: Sequence[str], rng: np.random.Generator) -> Ints:
        """Phones of a sentence, silence around it and now and then between its words."""
        silence = np.array([SILENCE])
        parts = [silence]
        for number, word in enumerate(sentence):
            if number and rng.random() < self._config.pause_probability:
                parts.append(silence)
            ways = self._ways[word]
            first = len(ways) == 1 or rng.random() < FIRST_WAY
            way = ways[0 if first else int(rng.integers(1, len(ways)))]
            kept = rng.random(len(way)) >= self._config.skip_probability
            parts.append(way[kept] if kept.any() else way)
        return np.concatenate([*parts, silence])
