import pytest

from streamasr.core.dictation.casing import START, compose
from streamasr.core.dictation.marks import MARKS, Piece


def pieces(text: str) -> list[Piece]:
    return [MARKS.get(word.replace("-", " "), Piece(word)) for word in text.split()]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("hello comma world period i see", "Hello, world. I see"),
        ("open-quote yes close-quote period no", '"Yes". No'),
        ("open-parenthesis it is close-parenthesis", "(It is)"),
        ("one new-line two new-paragraph three", "One\nTwo\n\nThree"),
        ("well hyphen known", "Well-known"),
        ("on monday i'm in may", "On Monday I'm in may"),
        ("really question-mark open-quote oh close-quote", 'Really? "Oh"'),
    ],
)
def test_spaces_and_capitals(said: str, written: str) -> None:
    assert compose(pieces(said), START)[0] == written


def test_a_text_cut_anywhere_is_composed_the_same() -> None:
    all_pieces = pieces("hello period open-quote it is new-line i know close-quote comma then")
    whole, end = compose(all_pieces, START)
    for at in range(len(all_pieces) + 1):
        first, context = compose(all_pieces[:at], START)
        second, last = compose(all_pieces[at:], context)
        assert first + second == whole
        assert last == end


def test_without_capitals_words_stay_as_they_are() -> None:
    assert compose(pieces("i am period here"), START, capitals=False)[0] == "i am. here"
