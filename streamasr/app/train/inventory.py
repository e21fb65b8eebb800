"""The sub-word inventory: learnt by sentencepiece, stored as plain units."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import sentencepiece

from streamasr.app.text import is_speakable, normalise
from streamasr.core.units import BLANK_SYMBOL, Units
from streamasr.errors import ConfigError


def read_sentences(file: Path) -> Iterator[str]:
    """Yield normalised sentences of a .txt or .txt.gz file."""
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            if is_speakable(line):
                yield normalise(line)


def learn_pieces(sentences: Iterable[str], count: int) -> bytes:
    """Train byte-pair units; returns the sentencepiece model of ``count - 1`` pieces.

    One id is left for the blank, which takes the place of sentencepiece's unknown.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=count,
            model_type="bpe",
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            unk_id=0,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ConfigError(
            f"sentencepiece cannot make {count} units of this text: {error}",
            remedy="fewer units or more text",
        ) from None
    return model.getvalue()


class Tokeniser:
    """Text to unit ids, and the `Units` that turn ids back into text."""

    def __init__(self, model: bytes) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        size = self._processor.get_piece_size()
        pieces = [self._processor.id_to_piece(i) for i in range(1, size)]
        self.units = Units((BLANK_SYMBOL, *pieces))

    def encode(self, text: str) -> list[int]:
        """Ids of normalised text; characters outside the inventory are left out."""
        return [i for i in self._processor.encode(text) if i]
