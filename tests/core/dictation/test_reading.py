import pytest

from streamasr.core.dictation.casing import START, compose
from streamasr.core.dictation.marks import Piece
from streamasr.core.dictation.reading import read
from streamasr.core.dictation.style import Command, Punctuation, Style


def written(said: str, style: Style | None = None) -> str:
    items = read(said.split(), style or Style())
    return compose([item for item in items if isinstance(item, Piece)], START)[0]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("this is all caps important today", "This is IMPORTANT today"),
        ("all caps on stop here all caps off please", "STOP HERE please"),
        ("caps on the big book caps off ends", "The Big Book ends"),
        ("ask capital reason", "Ask Reason"),
        ("foot no space ball", "Football"),
        ("spell charlie alpha tango", "cat"),
        ("spell see ay tee", "cat"),
        ("spell capital a d a end spelling is here", "Ada is here"),
        ("spell a one at sign b", "a1@b"),
        ("the literal comma is small", "The comma is small"),
        ("say literal scratch that twice", "Say scratch that twice"),
        ("spell", "Spell"),
        ("a spell was cast", "A spell was cast"),
        ("end", "End"),
    ],
)
def test_formatting_by_voice(said: str, text: str) -> None:
    assert written(said) == text


def test_numbers_become_digits_only_when_asked_for() -> None:
    assert written("twenty five comma thirty") == "Twenty five, thirty"
    assert written("twenty five comma thirty", Style(numbers=True)) == "25, 30"


def test_commands_are_found_among_words() -> None:
    assert read(["no", "scratch", "that", "yes"], Style()) == [
        Piece("no"), Command.SCRATCH, Piece("yes")
    ]  # fmt: skip
    assert read(["undo"], Style()) == [Command.UNDO]
    assert read(["undo", "it"], Style()) == [Piece("undo"), Piece("it")]


def test_no_words_are_lost_without_phrases() -> None:
    words = ["scratch", "that", "comma", "all", "caps", "spell"]
    plain = Style(punctuation=Punctuation.NONE, commands=False)
    assert read(words, plain) == [Piece(w) for w in words]
    assert read([], Style()) == []
