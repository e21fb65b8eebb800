from random import Random

import pytest

from streamasr.core.dictation.casing import START, compose
from streamasr.core.dictation.edits import smallest_edit
from streamasr.core.dictation.manuscript import KEPT_UTTERANCES, Manuscript
from streamasr.core.dictation.marks import MARKS, Piece
from streamasr.core.dictation.punctuating import GUESSES, Guide, settled
from streamasr.core.dictation.style import Punctuation, Style
from streamasr.core.punctuation.punctuator import Punctuator
from streamasr.core.punctuation.tokens import Mark
from tests.core.dictation.test_manuscript import WORDS
from tests.core.punctuation.networks import WildNetwork

MORE = f"{WORDS} question mark hyphen scratch that undo that literal comma 'tis x".split()


GROWING = ("so", "he", "and", "saw", "me", "five", "twenty", "of", "dollars", "question", "mark")


def wild(
    seed: int, style: Style | None = None, *, waits: int = 2, hold_back: int = 1
) -> Manuscript:
    guide = Guide(Punctuator(WildNetwork(seed)), waits=waits)
    manuscript = Manuscript(style or Style(numbers=True), hold_back=hold_back, guide=guide)
    manuscript.begin("w")
    return manuscript


def bare(text: str) -> str:
    """A text without marks and capitals."""
    return "".join(c for c in text.lower() if c.isalnum())


def test_a_said_mark_takes_the_place_of_a_guessed_one() -> None:
    guess = GUESSES[Mark.STOP]
    assert settled([Piece("so"), guess, MARKS["comma"]]) == [Piece("so"), MARKS["comma"]]
    assert settled([Piece("so"), guess, MARKS["new line"]]) == [
        Piece("so"), guess, MARKS["new line"],
    ]  # fmt: skip
    assert settled([Piece("so"), MARKS["comma"], MARKS["comma"]])[1:] == [MARKS["comma"]] * 2


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_guessed_the_words_and_the_said_marks_stay(seed: int) -> None:
    said = "so comma he went hyphen home question mark open quote yes close quote"
    written = wild(seed).final(said).text.lower()
    assert bare(written) == "sohewenthomeyes"
    assert written.startswith("so, ")
    assert "ent-" in written
    assert 'home? "' in written
    assert '""' not in written.replace(" ", "")
    for pair in (",.", ".,", "?.", ".?", "..", ",?", "?,", ",,"):
        assert pair not in written


@pytest.mark.parametrize("seed", range(60))
def test_growing_partials_are_only_appended_to_where_a_mark_waits_for_one_word(seed: int) -> None:
    rng = Random(seed)
    manuscript = wild(seed, waits=1)
    manuscript.final("well then")
    typed, said = manuscript.target.text, []
    for _ in range(rng.randint(1, 20)):
        said.append(rng.choice(GROWING))
        wanted = manuscript.partial(" ".join(said)).text
        assert smallest_edit(typed, wanted).erase == 0, (said, typed, wanted)
        typed = wanted
    final = manuscript.final(" ".join(said)).text
    assert smallest_edit(typed, final).erase == 0, (said, typed, final)


@pytest.mark.parametrize("seed", range(20))
def test_what_was_scratched_and_undone_is_as_if_it_was_never_said(seed: int) -> None:
    rng = Random(seed)
    said = [" ".join(rng.choices(["so", "he", "went", "and", "saw", "me"], k=4)) for _ in range(3)]
    plain, corrected = wild(seed), wild(seed)
    for text in said:
        plain.final(text)
        corrected.final(text)
        corrected.final("oh no that is wrong")
        corrected.final("scratch that")
    assert plain.target == corrected.target
    corrected.final("scratch that")
    assert corrected.final("undo").text == plain.target.text
    assert corrected.final("and on").text == plain.final("and on").text


@pytest.mark.parametrize("seed", range(5))
def test_a_long_page_is_bounded_and_its_text_is_that_of_a_short_one(seed: int) -> None:
    rng = Random(seed)
    manuscript, whole = wild(seed), ""
    for _ in range(4 * KEPT_UTTERANCES):
        target = manuscript.final(rng.choice(["one", "comma two", "three", "i new line"]))
        whole = whole[: target.base] + target.text
        for pair in (".,", ",.", "?,", "?."):
            assert pair not in whole
    assert target.base > 0


@pytest.mark.parametrize("seed", range(10))
def test_random_talk_is_never_torn(seed: int) -> None:
    rng = Random(seed)
    manuscript = wild(seed, hold_back=rng.randint(0, 2))
    for _ in range(15):
        said = rng.choices(MORE, k=rng.randint(1, 12))
        for count in range(len(said)):
            manuscript.partial(" ".join(said[:count]))
        manuscript.final(" ".join(said))
        assert "  " not in manuscript.target.text.strip()


def test_only_the_style_that_wants_them_gets_guessed_marks() -> None:
    said = "so he went home and saw me there and i went on to the next one"
    spoken = wild(3, Style(punctuation=Punctuation.SPOKEN)).final(said).text
    assert spoken == "So he went home and saw me there and I went on to the next one"
    assert wild(3).final(said).text != spoken
    small = wild(3, Style(capitals=False)).final(said).text
    assert small == small.lower() != said
    plain = Manuscript(Style())
    plain.begin("w")
    assert plain.final(said).text == spoken


def test_guessed_marks_are_spaced_as_marks_are() -> None:
    pieces = [Piece("yes"), GUESSES[Mark.COMMA], Piece("no"), GUESSES[Mark.QUESTION], Piece("so")]
    assert compose(pieces, START)[0] == "Yes, no? So"
