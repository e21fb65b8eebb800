"""Text files as sentences of words for language models, what must not be learnt left out."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from streamasr.app.text import is_speakable, normalise
from streamasr.errors import ConfigError

SPOKEN = {"mr": "mister", "mrs": "missus", "dr": "doctor", "messrs": "messieurs"}
"""Abbreviations as they are read out, and as transcripts of speech spell them."""
_PLAIN = re.compile(r"[a-z]+(?:[' ][a-z]+)*\n?")
"""A line that is normalised already, as large collections are."""
SHARED_WORDS = 7
"""Sentences that share this many words in a row with held-out text are left out."""
MARGIN = 200
"""Sentences left out before and after such a one: they are the same chapter."""


def read_sentences(file: Path) -> list[list[str]]:
    """Normalised sentences of a .txt or .txt.gz file, one a line; those with digits dropped."""
    return list(iter_sentences(file))


def iter_sentences(file: Path) -> Iterator[list[str]]:
    """As `read_sentences`, one at a time; raises ConfigError where the file is no text."""
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                if _PLAIN.fullmatch(line):
                    yield [SPOKEN.get(word, word) for word in line.split()]
                elif is_speakable(line):
                    yield spoken_words(line)
    except FileNotFoundError:
        raise ConfigError(f"no such text: {file}") from None
    except (UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise ConfigError(f"{file} is not UTF-8 text: {error}") from None


def spoken_words(text: str) -> list[str]:
    """Normalise a sentence and read out its abbreviations.

    >>> spoken_words("Mr. Bennet made no answer.")
    ['mister', 'bennet', 'made', 'no', 'answer']
    """
    return [SPOKEN.get(word, word) for word in normalise(text).split()]


class HeldOut:
    """Text that a language model must not have seen, for it is measured on it."""

    def __init__(self, sentences: Iterable[str], *, shared: int = SHARED_WORDS) -> None:
        self._shared = shared
        self._grams = {gram for s in sentences for gram in self._runs(spoken_words(s))}

    def filter(
        self, sentences: Sequence[list[str]], *, margin: int = MARGIN
    ) -> Iterator[list[str]]:
        """The sentences that lie farther than ``margin`` from one that shares a run."""
        near = bytearray(len(sentences))
        for index, words in enumerate(sentences):
            if not self._grams.isdisjoint(self._runs(words)):
                low, high = max(0, index - margin), min(len(sentences), index + margin + 1)
                near[low:high] = b"\1" * (high - low)
        return (words for words, is_near in zip(sentences, near, strict=True) if not is_near)

    def _runs(self, words: list[str]) -> Iterator[tuple[str, ...]]:
        """Runs of the length asked for; a shorter sentence counts as a whole from four words."""
        size = min(self._shared, len(words))
        if size >= 4:
            yield from (tuple(words[i : i + size]) for i in range(len(words) - size + 1))
