"""Pronunciations: the CMU dictionary's, and a lexicon file of our own.

The dictionary (Carnegie Mellon University, a BSD licence whose notice must go with what
is made of it) has no stress here; a word may have several pronunciations, the common
one first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from lzma import LZMAError
from pathlib import Path

from streamasr.core.phones import PHONE_IDS
from streamasr.edge.lm.files import open_text, write_text
from streamasr.errors import BundleError, ConfigError, MissingExtra

Phones = tuple[str, ...]
Lexicon = dict[str, list[Phones]]
_WORD = re.compile(r"[a-z']*[a-z][a-z']*")


def read_cmudict(file: Path | None = None) -> Lexicon:
    """Read a dictionary in CMU's format; by default the one that pocketsphinx carries."""
    if file is None:
        try:
            import pocketsphinx
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "pocketsphinx", "train") from None
        file = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    return read_lexicon(file)


def read_lexicon(file: Path) -> Lexicon:
    """Read "word P1 P2 ..." lines; variants are "word(2)" or the word again.

    Words that `app.text.normalise` could not give are left out, and stress digits too.
    """
    try:
        with open_text(file) as lines:
            return _parse(lines)
    except FileNotFoundError:
        raise ConfigError(f"no such dictionary: {file}") from None
    except (UnicodeDecodeError, OSError, EOFError, LZMAError, KeyError) as error:
        raise BundleError(f"{file} is no pronunciation dictionary: {error}") from None


def _parse(lines: Iterable[str]) -> Lexicon:
    lexicon: Lexicon = {}
    for line in lines:
        entry = line.partition("#")[0].split()
        if line.startswith(";;;") or not entry:
            continue
        label, *phones = entry
        word = label.partition("(")[0].lower()
        found = tuple(phone.rstrip("012") for phone in phones)
        unknown = [phone for phone in found if phone not in PHONE_IDS]
        if unknown:
            raise KeyError(f"unknown phone {unknown[0]} in {line.strip()!r}")
        if found and _WORD.fullmatch(word):
            known = lexicon.setdefault(word, [])
            if found not in known:
                known.append(found)
    return lexicon


def write_lexicon(lexicon: Mapping[str, Iterable[Phones]], file: Path) -> None:
    """Write a lexicon, one pronunciation a line, by word; .gz and .xz are compressed."""
    lines = [f"{word} {' '.join(phones)}\n" for word in sorted(lexicon) for phones in lexicon[word]]
    write_text("".join(lines), file)


class WordFinder:
    """Looks words up in a file of `write_lexicon` without making a table of all of it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @cached_property
    def _lines(self) -> bytes:
        """In the order of their words, each ended."""
        with open_text(self._file) as stream:
            return stream.read().encode()

    def find(self, words: Iterable[str]) -> dict[str, list[Phones]]:
        """The pronunciations of those words that are there, in the order of the file."""
        return {word: ways for word in words if (ways := list(self._ways(word.encode())))}

    def _ways(self, word: bytes) -> Iterator[Phones]:
        lines = self._lines
        low, high = 0, len(lines)  # the first line of the word begins within
        while low < high:
            start = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = lines.find(b"\n", start) + 1
            low, high = (end, high) if _word(lines[start:end]) < word else (low, start)
        while low < len(lines):
            end = lines.find(b"\n", low) + 1
            said, *phones = lines[low:end].decode().split()
            if said.encode() != word:
                return
            yield tuple(phones)
            low = end


def _word(line: bytes) -> bytes:
    return line.partition(b" ")[0]
