from __future__ import annotations

import threading
from random import Random

import pytest

from streamasr.core.dictation.edits import Edit, Target
from streamasr.edge.dictation.display import UNKNOWN, Window
from streamasr.edge.dictation.hand import CHUNK, Doing, Hand, Manner
from streamasr.errors import DeviceError, StreamasrError
from tests.desktop import until


class Paper:
    """Windows that are typed into, and the focus among them."""

    name = "paper"
    corrects = True

    def __init__(self) -> None:
        self.focus = Window("a")
        self.texts: dict[str, str] = {"a": "", "b": "", "": ""}
        self.edits: list[Edit] = []
        self.settled: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.broken = False

    def window(self) -> Window:
        return self.focus

    def is_ready(self) -> bool:
        return self.free.is_set()

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        if self.broken:
            raise DeviceError("the keyboard is gone")
        before = self.texts[self.focus.name]
        assert len(before) >= edit.erase, "never erases what others wrote"
        self.edits.append(edit)
        self.texts[self.focus.name] = before[: len(before) - edit.erase] + edit.text

    def settle(self) -> None:
        self.settled.append(self.texts[self.focus.name])

    def close(self) -> None:
        pass


def page(text: str, number: int = 0, window: str = "a", base: int = 0) -> Target:
    return Target(number, window, base, text)


def test_it_types_by_the_smallest_corrections() -> None:
    paper = Paper()
    hand = Hand(paper)
    for text in ("Hello wor", "Hello words", "Hello worlds"):
        hand.show(page(text), Manner(paper))
        until(lambda text=text: paper.texts["a"] == text, "not typed")  # type: ignore[misc]
    assert paper.edits == [Edit(0, "Hello wor"), Edit(0, "ds"), Edit(2, "lds")]
    assert hand.finish(5) == 0


def test_what_an_open_utterance_shows_is_not_settled() -> None:
    paper = Paper()
    hand = Hand(paper)
    for text, is_open in (("Two see", True), ("Two cities", True), ("Two cities", False)):
        hand.show(Target(0, "a", 0, text, is_open), Manner(paper))
        until(lambda: not hand._targets, "not done")
    assert paper.settled == ["Two cities"], "though nothing was left to type"
    assert hand.finish(5) == 0


def test_the_newest_target_is_reached_whatever_came_before() -> None:
    paper, rng = Paper(), Random(3)
    hand = Hand(paper)
    words = ["to", "be", "or", "not", "to", "be", "that", "is", "the", "question"]
    for _ in range(300):
        hand.show(page(" ".join(rng.choices(words, k=rng.randint(0, 12)))), Manner(paper))
    hand.show(page("the end"), Manner(paper))
    assert hand.finish(10) == 0
    assert paper.texts["a"] == "the end"
    assert all(len(edit.text) <= CHUNK and edit.erase <= CHUNK for edit in paper.edits)


def test_text_waits_while_the_focus_is_elsewhere() -> None:
    paper, story = Paper(), []
    hand = Hand(paper, told=story.append)
    hand.show(page("one"), Manner(paper))
    until(lambda: paper.texts["a"] == "one", "not typed")
    paper.focus = Window("b")
    hand.show(page("one two"), Manner(paper))
    until(lambda: hand.doing is Doing.HOLDING, "not held")
    paper.focus = UNKNOWN
    hand.show(page("one two three"), Manner(paper))
    paper.focus = Window("a")
    assert finished(hand) == 0
    assert paper.texts == {"a": "one two three", "b": "", "": ""}
    assert Doing.HOLDING in story
    assert story[-1] is Doing.RESTING


def finished(hand: Hand) -> int:
    until(lambda: hand.doing is Doing.RESTING, "text is left")
    return hand.finish(5)


def test_released_text_goes_where_the_focus_is_and_erases_nothing_there() -> None:
    paper = Paper()
    hand = Hand(paper)
    hand.show(page("one too"), Manner(paper))
    until(lambda: paper.texts["a"] == "one too", "not typed")
    paper.focus = Window("b")
    hand.show(page("one two three"), Manner(paper))
    until(lambda: hand.doing is Doing.HOLDING, "not held")
    hand.release()
    until(lambda: hand.doing is Doing.RESTING, "not released")
    hand.show(page("one two three four"), Manner(paper))
    assert finished(hand) == 0
    assert paper.texts["a"] == "one too"
    assert paper.texts["b"] == " three four"


def test_following_text_goes_where_the_focus_is() -> None:
    paper = Paper()
    hand = Hand(paper, follows=True)
    hand.show(page("one"), Manner(paper))
    until(lambda: paper.texts["a"] == "one", "not typed")
    paper.focus = Window("b")
    hand.show(page("on two"), Manner(paper))
    assert finished(hand) == 0
    assert paper.texts == {"a": "one", "b": "two", "": ""}


def test_a_new_page_leaves_the_old_one_alone() -> None:
    paper = Paper()
    hand = Hand(paper)
    hand.show(page("first"), Manner(paper))
    hand.show(page("second", 1), Manner(paper))
    hand.show(page("secret", 1), Manner(paper))
    assert finished(hand) == 0
    assert paper.texts["a"] == "firstsecret"


def test_settled_text_is_no_longer_compared() -> None:
    paper = Paper()
    hand = Hand(paper)
    hand.show(page("one two three"), Manner(paper))
    hand.show(page("two three four", base=4), Manner(paper))
    hand.show(page("two three five", base=4), Manner(paper))
    assert finished(hand) == 0
    assert paper.texts["a"] == "one two three five"


def test_nothing_is_typed_while_a_modifier_is_held() -> None:
    paper, story = Paper(), []
    paper.free.clear()
    hand = Hand(paper, told=story.append)
    hand.show(page("text"), Manner(paper))
    until(lambda: hand.doing is Doing.WAITING, "does not wait")
    assert paper.texts["a"] == ""
    paper.free.set()
    assert finished(hand) == 0
    assert paper.texts["a"] == "text"


def test_text_that_never_got_its_window_is_counted() -> None:
    paper = Paper()
    paper.focus = Window("b")
    hand = Hand(paper)
    hand.show(page("four"), Manner(paper))
    until(lambda: hand.doing is Doing.HOLDING, "not held")
    assert hand.finish(5) == 4
    assert paper.texts["b"] == ""


def test_dropped_text_is_never_typed() -> None:
    paper = Paper()
    paper.focus = Window("b")
    hand = Hand(paper)
    hand.show(page("secret"), Manner(paper))
    until(lambda: hand.doing is Doing.HOLDING, "not held")
    assert hand.drop() == 6
    paper.focus = Window("a")
    hand.show(page("next", 1), Manner(paper))
    assert finished(hand) == 0
    assert paper.texts["a"] == "next"


def test_what_is_pasted_goes_in_one_piece() -> None:
    paper = Paper()
    paper.corrects = False
    hand = Hand(paper)
    hand.show(page("x" * 100), Manner(paper))
    assert finished(hand) == 0
    assert paper.edits == [Edit(0, "x" * 100)]


@pytest.mark.parametrize("text", ["x", "x" * 100])
def test_a_keyboard_that_fails_ends_it(text: str) -> None:
    paper, failures = Paper(), list[StreamasrError]()
    paper.broken = True
    hand = Hand(paper, failed=failures.append)
    hand.show(page(text), Manner(paper))
    until(lambda: bool(failures), "nobody is told")
    assert hand.finish(5) == len(text)
    assert failures[0].message == "the keyboard is gone"
