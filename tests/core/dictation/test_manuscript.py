from random import Random

import pytest

from streamasr.core.dictation.edits import smallest_edit
from streamasr.core.dictation.manuscript import KEPT_UTTERANCES, Manuscript
from streamasr.core.dictation.style import Style

WORDS = """so hello comma new line i said twenty five dollars and a period open quote yes
close quote all caps on big all caps off at half past three may the fifth of"""


def begun(style: Style | None = None, hold_back: int = 1) -> Manuscript:
    manuscript = Manuscript(style or Style(), hold_back=hold_back)
    manuscript.begin("w")
    return manuscript


def test_finals_stand_one_after_the_other() -> None:
    manuscript = begun()
    assert manuscript.final("hello world period").text == "Hello world."
    assert manuscript.final("and on").text == "Hello world. And on"


def test_scratch_takes_the_last_utterance_back_and_undo_brings_it_again() -> None:
    manuscript = begun()
    manuscript.final("one")
    manuscript.final("two")
    assert manuscript.final("scratch that").text == "One"
    assert manuscript.final("undo").text == "One two"
    assert manuscript.final("undo").text == "One"
    assert manuscript.final("undo").text == ""
    assert manuscript.final("undo").text == ""


def test_scratch_inside_an_utterance_takes_back_what_it_began_with() -> None:
    manuscript = begun()
    manuscript.final("one")
    assert manuscript.final("two scratch that three").text == "One three"
    assert manuscript.final("scratch that scratch that").text == ""


def test_held_back_words_and_unfinished_phrases_are_not_shown() -> None:
    manuscript = begun()
    assert manuscript.partial("hello").text == ""
    assert manuscript.partial("hello new").text == "Hello"
    assert manuscript.partial("hello new paragraph").text == "Hello"
    assert manuscript.partial("hello new paragraph and").text == "Hello"
    assert manuscript.final("hello new paragraph and").text == "Hello\n\nAnd"
    assert begun(hold_back=0).partial("hello").text == "Hello"
    assert begun(hold_back=3).partial("one two three four").text == "One"


def test_commands_act_at_the_end_of_the_utterance_only() -> None:
    manuscript = begun()
    manuscript.final("one")
    assert manuscript.partial("scratch that and more").text == "One"
    assert manuscript.partial("two scratch that and more").text == "One two"


def test_growing_partials_are_only_appended_to() -> None:
    """With words that only grow in number nothing that was typed is taken back."""
    rng = Random(4)
    words = WORDS.split()
    for _ in range(200):
        manuscript = begun(Style(numbers=True))
        manuscript.final("well")
        said: list[str] = []
        typed = manuscript.target.text
        for _ in range(rng.randint(1, 15)):
            said.append(rng.choice(words))
            wanted = manuscript.partial(" ".join(said)).text
            assert smallest_edit(typed, wanted).erase == 0, (said, typed, wanted)
            typed = wanted


def test_stop_listening_is_told() -> None:
    manuscript = begun()
    manuscript.final("one stop listening")
    assert manuscript.is_stopped
    assert manuscript.target.text == "One"
    manuscript.final("two")
    assert not manuscript.is_stopped


def test_a_new_page_knows_nothing_of_the_last() -> None:
    manuscript = begun()
    manuscript.final("one")
    manuscript.begin("other")
    assert manuscript.final("scratch that").text == ""
    target = manuscript.final("two")
    assert (target.page, target.window, target.text) == (1, "other", "Two")


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_is_bounded_and_the_text_is_the_same(seed: int) -> None:
    rng = Random(seed)
    manuscript, whole = begun(), ""
    for _ in range(5 * KEPT_UTTERANCES):
        target = manuscript.final(rng.choice(["one comma", "two period", "three", "i new line"]))
        whole = whole[: target.base] + target.text
        assert len(target.text) < 20 * KEPT_UTTERANCES
    assert target.base > 0
    assert whole.startswith(("One,", "Two.", "Three", "I\n"))
    before = whole
    manuscript.final("four")
    target = manuscript.final("scratch that")
    assert whole[: target.base] + target.text == before
