"""Written text as what is said and what is to be written: words, marks after them, cases.

read_words(["Mr. Bennet, you know it."])
    # words: mister bennet you know it · marks: - , - - . · cases: ? C l l l
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from streamasr.app.lm.sentences import SPOKEN
from streamasr.app.text import normalise as normalise_text
from streamasr.core.punctuation.tokens import Case, Mark
from streamasr.errors import ConfigError

UNKNOWN = -1
"""The case of a word that a sentence begins with: its capital says nothing."""
normalise = lru_cache(maxsize=1 << 16)(normalise_text)
_MARKS = {",": Mark.COMMA, ";": Mark.COMMA, ":": Mark.COMMA, "…": Mark.COMMA}
_ENDS = {".": Mark.STOP, "!": Mark.STOP, "?": Mark.QUESTION}
_RANGE = re.compile(r"(.+):(\d+)-(\d+)")
_DASH = re.compile(r"\s+[-–—]+\s+|\s*(?:--+|—)\s*|\s+[-–—]+$")
_QUOTES = "\"'“”‘’()[]{}*_ "
_SHORT = "mr mrs ms dr st messrs prof rev gen col capt lt sgt hon esq no vs"
_ABBREVIATIONS = frozenset(_SHORT.split())
LONGEST_UPPER = 5
"""Letters; longer words in capitals are shouted."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words of running text, with what is written of each."""

    words: list[str]
    marks: list[int]
    cases: list[int]
    starts: list[int]
    """Places of the words that sentences, or lines without relation, begin with."""

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a file: ``text/books.txt.gz``, or ``text/books.txt.gz:101-200``."""

    file: str
    first: int = 1
    last: int | None = None

    @classmethod
    def parse(cls, text: str) -> Part:
        found = _RANGE.fullmatch(text)
        return cls(found[1], int(found[2]), int(found[3])) if found else cls(text)

    def lines(self, folder: Path, *, without: Iterable[Part] = ()) -> list[str]:
        """The lines, but those of other parts; raises ConfigError where they cannot be had."""
        try:
            lines = read_lines(folder / self.file)
        except FileNotFoundError:
            raise ConfigError(f"no such text: {folder / self.file}") from None
        except (UnicodeDecodeError, gzip.BadGzipFile) as error:
            raise ConfigError(f"{folder / self.file} is not UTF-8 text: {error}") from None
        last = len(lines) if self.last is None else self.last
        if not 1 <= self.first <= last <= len(lines):
            raise ConfigError(
                f"{self.file} has no lines {self.first}-{last}", remedy=f"it has {len(lines)}"
            )
        left_out = {
            number
            for part in without
            if part.file == self.file
            for number in range(part.first, (part.last or len(lines)) + 1)
        }
        numbers = range(self.first, last + 1)
        return [lines[number - 1] for number in numbers if number not in left_out]


def read_lines(file: Path) -> list[str]:
    """The lines of a .txt or .txt.gz file."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines]


def read_words(lines: Iterable[str]) -> Text:
    """Text of sentences, one a line or more; headings and lines with digits are left out.

    A semicolon, a colon and a dash count as commas, an exclamation mark as a full stop.
    """
    found = Text([], [], [], [])
    shown: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for line in lines:
        items = list(_items(line))
        if not items or not _is_sentence(line, items):
            continue
        goes_on = bool(found.words) and items[0][1][:1].islower()
        if goes_on and found.marks[-1] == Mark.STOP:
            found.marks[-1] = Mark.COMMA  # "Oh! said he", the quotation marks gone
        at_start = not goes_on
        found.starts.append(len(found.words))
        for spoken, written, mark in items:
            case = case_of(written)
            seen[spoken] += 1
            shown[spoken] += case is Case.UPPER
            found.words.append(spoken)
            found.marks.append(mark)
            found.cases.append(UNKNOWN if at_start else case)
            at_start = mark in (Mark.STOP, Mark.QUESTION)
    for at, word in enumerate(found.words):
        if found.cases[at] == Case.UPPER and 2 * shown[word] <= seen[word]:
            found.cases[at] = Case.LOWER
    return found


def case_of(written: str) -> Case:
    """How a word is written."""
    letters = [c for c in written if c.isalpha()]
    if len(letters) > 1 and all(c.isupper() for c in letters) and len(letters) <= LONGEST_UPPER:
        return Case.UPPER
    return Case.CAPITAL if letters and letters[0].isupper() else Case.LOWER


def _is_sentence(line: str, items: list[tuple[str, str, Mark]]) -> bool:
    if any(c.isdigit() for c in line) or "," in line.replace(", ", "").rstrip(","):
        return False
    capitals = sum(written.isupper() and len(written) > 1 for _, written, _ in items)
    return items[-1][2] is not Mark.NONE and 2 * capitals < len(items)


def _items(line: str) -> Iterator[tuple[str, str, Mark]]:
    """Words as said, as written, and the mark after each."""
    tokens = _DASH.sub(" , ", line).split()
    for at, token in enumerate(tokens):
        follows = next((t for t in tokens[at + 1 :] if t.strip(_QUOTES)), "")
        if not normalise(token):
            continue
        mark = _mark_of(token, follows)
        if follows[:1] == "," and not mark:
            mark = Mark.COMMA
        parts = [part for part in re.split(r"[-–—]", token) if normalise(part)]
        for part in parts:
            said = [SPOKEN.get(word, word) for word in normalise(part).split()]
            written = part.strip(_QUOTES + ",;:.!?…")
            for number, word in enumerate(said):
                is_last = part is parts[-1] and number == len(said) - 1
                yield word, written, mark if is_last else Mark.NONE


def _mark_of(token: str, follows: str) -> Mark:
    bare = token.rstrip(_QUOTES)
    last = bare[-1:]
    if last == "." and follows:
        word = bare.rstrip(".").lower()
        is_short = word in _ABBREVIATIONS or len(word) == 1 or "." in word
        if is_short or not follows.lstrip(_QUOTES)[:1].isupper():
            return Mark.NONE
    return _ENDS.get(last, _MARKS.get(last, Mark.NONE))
