"""Spoken punctuation and layout: what is said, what is written, and how it is spaced.

MARKS["open quote"]      # Piece('"', glue=Glue.AFTER)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag


class Glue(Flag):
    """Where no space goes."""

    NONE = 0
    BEFORE = 1
    AFTER = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to write: a word, a mark, a line break."""

    text: str
    glue: Glue = Glue.NONE
    ends_sentence: bool = False
    keeps_start: bool = False
    """Whether a word after it still begins the sentence, as after an opening quote."""
    is_fixed: bool = False
    """Its letters stay as they are, whatever comes before it."""
    is_guess: bool = False
    """A mark that nobody said: one that is said takes its place."""

    @property
    def breaks_line(self) -> bool:
        return "\n" in self.text


def _mark(text: str, glue: Glue = Glue.BEFORE) -> Piece:
    return Piece(text, glue, is_fixed=True)


def _end(text: str) -> Piece:
    return Piece(text, Glue.BEFORE, ends_sentence=True, is_fixed=True)


def _opening(text: str) -> Piece:
    return Piece(text, Glue.AFTER, keeps_start=True, is_fixed=True)


def _closing(text: str) -> Piece:
    return Piece(text, Glue.BEFORE, keeps_start=True, is_fixed=True)


def _break(text: str) -> Piece:
    return Piece(text, Glue.BOTH, ends_sentence=True, is_fixed=True)


MARKS: dict[str, Piece] = {
    "comma": _mark(","),
    "period": _end("."),
    "full stop": _end("."),
    "question mark": _end("?"),
    "exclamation mark": _end("!"),
    "exclamation point": _end("!"),
    "ellipsis": _mark("…"),
    "dot dot dot": _mark("…"),
    "colon": _mark(":"),
    "semicolon": _mark(";"),
    "semi colon": _mark(";"),
    "dash": _mark("–", Glue.NONE),
    "em dash": _mark("—", Glue.BOTH),
    "hyphen": _mark("-", Glue.BOTH),
    "apostrophe": _mark("'", Glue.BOTH),
    "open quote": _opening('"'),
    "begin quote": _opening('"'),
    "close quote": _closing('"'),
    "end quote": _closing('"'),
    "unquote": _closing('"'),
    "open single quote": _opening("'"),
    "close single quote": _closing("'"),
    "open parenthesis": _opening("("),
    "close parenthesis": _closing(")"),
    "open paren": _opening("("),
    "close paren": _closing(")"),
    "open bracket": _opening("["),
    "close bracket": _closing("]"),
    "open brace": _opening("{"),
    "close brace": _closing("}"),
    "less than sign": _mark("<", Glue.NONE),
    "greater than sign": _mark(">", Glue.NONE),
    "slash": _mark("/", Glue.BOTH),
    "forward slash": _mark("/", Glue.BOTH),
    "backslash": _mark("\\", Glue.BOTH),
    "underscore": _mark("_", Glue.BOTH),
    "at sign": _mark("@", Glue.BOTH),
    "ampersand": _mark("&", Glue.NONE),
    "asterisk": _mark("*", Glue.NONE),
    "hash sign": _mark("#", Glue.AFTER),
    "number sign": _mark("#", Glue.AFTER),
    "dollar sign": _mark("$", Glue.AFTER),
    "euro sign": _mark("€", Glue.AFTER),
    "percent sign": _mark("%"),
    "degree sign": _mark("°"),
    "plus sign": _mark("+", Glue.NONE),
    "minus sign": _mark("-", Glue.NONE),
    "equals sign": _mark("=", Glue.NONE),
    "vertical bar": _mark("|", Glue.NONE),
    "tilde": _mark("~", Glue.AFTER),
    "new line": _break("\n"),
    "newline": _break("\n"),
    "new paragraph": _break("\n\n"),
    "tab key": Piece("\t", Glue.BOTH, keeps_start=True, is_fixed=True),
    "space bar": Piece(" ", Glue.BOTH, keeps_start=True, is_fixed=True),
}
"""Said -> written."""

NATO = dict(
    zip(
        [
            "alpha",
            "bravo",
            "charlie",
            "delta",
            "echo",
            "foxtrot",
            "golf",
            "hotel",
            "india",
            "juliet",
            "kilo",
            "lima",
            "mike",
            "november",
            "oscar",
            "papa",
            "quebec",
            "romeo",
            "sierra",
            "tango",
            "uniform",
            "victor",
            "whiskey",
            "x-ray",
            "yankee",
            "zulu",
        ],
        "abcdefghijklmnopqrstuvwxyz",
        strict=True,
    )
) | {"alfa": "a", "juliett": "j", "whisky": "w", "xray": "x", "ex": "x", "zed": "z"}
"""Words that stand for letters when something is spelled."""

LETTER_NAMES = {
    "ay": "a", "bee": "b", "be": "b", "see": "c", "sea": "c", "cee": "c", "dee": "d",
    "ee": "e", "ef": "f", "eff": "f", "gee": "g", "aitch": "h", "eye": "i", "jay": "j",
    "kay": "k", "el": "l", "ell": "l", "em": "m", "en": "n", "oh": "o", "owe": "o", "pee": "p",
    "pea": "p", "cue": "q", "queue": "q", "are": "r", "ar": "r", "ess": "s", "tee": "t",
    "tea": "t", "you": "u", "vee": "v", "why": "y", "wye": "y", "zee": "z",
}  # fmt: skip
"""How a recogniser may write a letter that is read out."""
