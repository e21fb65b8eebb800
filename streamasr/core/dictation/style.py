"""How somebody wants to be written down, and the phrases that follow from it.

style = Style(numbers=True, replace={"my mail": "ada@example.org"})
style.longest(["my", "mail", "please"], 0)      # (Piece("ada@example.org"), 2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property

from streamasr.core.dictation.marks import MARKS, Glue, Piece


class Punctuation(StrEnum):
    """Whose marks are written."""

    AUTO = "auto"
    """Those that are said, and those that the words ask for."""
    SPOKEN = "spoken"
    """Those that are said."""
    NONE = "none"
    """None: "comma" is a word."""


class Command(Enum):
    """A phrase that does something instead of being written."""

    SCRATCH = "take back what was said last"
    UNDO = "take back the last change, a scratch too"
    STOP = "stop listening"
    ALL_CAPS = "the next word in capitals"
    ALL_CAPS_ON = "capitals from here on"
    ALL_CAPS_OFF = "no longer capitals"
    CAPITAL = "the next word with a capital"
    CAPS_ON = "every word with a capital from here on"
    CAPS_OFF = "no longer every word with a capital"
    NO_SPACE = "no space before the next word"
    SPELL = "letters, to the end of the utterance or END_SPELL"
    END_SPELL = "words again"
    LITERAL = "the next phrase as words"


COMMANDS = {
    "scratch that": Command.SCRATCH,
    "delete that": Command.SCRATCH,
    "undo that": Command.UNDO,
    "stop listening": Command.STOP,
    "stop dictation": Command.STOP,
    "all caps": Command.ALL_CAPS,
    "all caps on": Command.ALL_CAPS_ON,
    "all caps off": Command.ALL_CAPS_OFF,
    "capital": Command.CAPITAL,
    "caps on": Command.CAPS_ON,
    "caps off": Command.CAPS_OFF,
    "no space": Command.NO_SPACE,
    "end spelling": Command.END_SPELL,
    "literal": Command.LITERAL,
}
ALONE = {
    "undo": Command.UNDO,
    "scratch": Command.SCRATCH,
}
"""Commands only where nothing else is said in the utterance: the words are common."""
FIRST = {"spell": Command.SPELL}
"""Commands only where an utterance begins with them."""
SWITCHES = frozenset(
    {
        Command.ALL_CAPS,
        Command.ALL_CAPS_ON,
        Command.ALL_CAPS_OFF,
        Command.CAPITAL,
        Command.CAPS_ON,
        Command.CAPS_OFF,
        Command.NO_SPACE,
    }
)

Meaning = Piece | Command
Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Style:
    """What is made of words; frozen, so that one may serve many utterances."""

    punctuation: Punctuation = Punctuation.AUTO
    commands: bool = True
    capitals: bool = True
    numbers: bool = False
    """Numbers, dates, times and money as digits."""
    marks: Mapping[str, str | None] = field(default_factory=dict)
    """More marks, or None to take one away."""
    replace: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    """Words and names, written as they stand here."""

    @cached_property
    def phrases(self) -> dict[Phrase, Meaning]:
        """What is said -> what it means; the user's own wins."""
        found: dict[str, Meaning] = {}
        if self.punctuation is not Punctuation.NONE:
            found |= MARKS
        if self.commands:
            found |= COMMANDS
        found |= {word.lower(): Piece(word, is_fixed=True) for word in self.words}
        for said, mark in self.marks.items():
            if mark is None:
                found.pop(said.lower(), None)
            else:
                found[said.lower()] = user_mark(mark)
        for said, text in self.replace.items():
            found[said.lower()] = Piece(text, is_fixed=True)
        return {tuple(said.split()): meaning for said, meaning in found.items()}

    @cached_property
    def _beginnings(self) -> frozenset[Phrase]:
        """What phrases begin with and are not yet."""
        return frozenset(
            phrase[:length] for phrase in self.phrases for length in range(1, len(phrase))
        )

    @cached_property
    def _most_words(self) -> int:
        return max(map(len, self.phrases), default=0)

    def longest(self, words: Sequence[str], at: int) -> tuple[Meaning, int] | None:
        """The longest phrase that begins at a word, and how many words it has."""
        for length in range(min(self._most_words, len(words) - at), 0, -1):
            meaning = self.phrases.get(tuple(words[at : at + length]))
            if meaning is not None:
                return meaning, length
        return None

    def unfinished(self, words: Sequence[str]) -> int:
        """How many words at the end may be the beginning of a phrase."""
        for length in range(min(self._most_words - 1, len(words)), 0, -1):
            if tuple(words[-length:]) in self._beginnings:
                return length
        return 0


def user_mark(text: str) -> Piece:
    """A mark as a user writes it: punctuation hugs the word before it, the rest is a word."""
    if text in {piece.text for piece in MARKS.values()}:
        return next(piece for piece in MARKS.values() if piece.text == text)
    glue = Glue.BOTH if "\n" in text else Glue.NONE
    return Piece(text, glue, ends_sentence="\n" in text, is_fixed=True)
