"""Training on text alone: sentences as phones, played to the speller.

Hundreds of hours of speech teach a network to spell; a few hours do not. Text is to be had
in any amount, and only the speller needs it: a sentence is turned into phones by the lexicon,
the phones into posteriors by a `PhoneBank`, and the speller learns its units as if it had
been said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamasr.app.lm.sentences import HeldOut, read_sentences
from streamasr.app.train.config import TextConfig
from streamasr.app.train.hearing import SpellingBatch
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.phonebank import PhoneBank
from streamasr.core.phones import PHONE_IDS, SILENCE
from streamasr.edge.lm.lexicon import Phones, read_cmudict, read_lexicon
from streamasr.errors import ConfigError

Ints = NDArray[np.int64]
LONGEST_WORDS = 40
EMISSIONS_PER_PHONE = 2.2
"""Of 40 ms in read speech, pauses included: only to size batches."""
FIRST_WAY = 0.7
"""How often a word is said in the first of its ways."""


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
        if config.most_sentences and len(sentences) > config.most_sentences:
            kept = np.random.default_rng(0).permutation(len(sentences))[: config.most_sentences]
            sentences = [sentences[i] for i in np.sort(kept)]
        return cls(sentences, _lexicon(config, data), config)

    def batch(
        self,
        bank: PhoneBank,
        tokeniser: Tokeniser,
        *,
        emissions: int,
        outputs_per_step: int,
        tail_steps: int,
        rng: np.random.Generator,
    ) -> SpellingBatch:
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
        played, _ = bank.play(spoken, rng)
        return SpellingBatch.collate(
            played, texts, tokeniser, outputs_per_step, tail_steps=tail_steps
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


def _lexicon(config: TextConfig, data: Path) -> Mapping[str, Sequence[Phones]]:
    """CMUdict, and the words of ``config.lexicon`` that it lacks."""
    known = read_cmudict()
    return {**read_lexicon(data / config.lexicon), **known} if config.lexicon else known
