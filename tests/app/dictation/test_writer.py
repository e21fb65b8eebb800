from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from streamasr.app.dictation.settings import Profile, Settings
from streamasr.app.dictation.writer import Writer
from streamasr.core.dictation.edits import Edit
from streamasr.core.dictation.style import Style
from streamasr.edge.dictation.display import Window
from streamasr.edge.dictation.hand import Hand
from streamasr.errors import DeviceError
from tests.desktop import until
from tests.edge.dictation.test_hand import Paper


@dataclass
class Pen:
    """A way to type of its own name, onto the same paper."""

    name: str
    paper: Paper
    corrects: bool = True
    breaks: list[bool] = field(default_factory=list)
    closed: bool = False

    def is_ready(self) -> bool:
        return True

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        self.breaks.append(soft_breaks)
        self.paper.write(edit)

    def settle(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_each_program_is_written_to_by_its_profile() -> None:
    paper, pens = Paper(), dict[str, Pen]()

    def opened(name: str) -> Pen:
        return pens.setdefault(name, Pen(name, paper, corrects=name != "paste"))

    chat = Profile(re.compile("chat"), Style(capitals=False), "paste", "shift+return")
    settings = Settings(profiles=(chat,), hold_back=0)
    hand = Hand(paper)
    writer = Writer(settings, paper, hand, opened)
    paper.focus = Window("a", "editor")
    writer.begin()
    writer.partial("hello there")
    until(lambda: paper.texts["a"] == "Hello there", "a partial is not typed")
    writer.final("hello there")
    paper.focus = Window("b", "chat")
    writer.begin()
    writer.partial("what is")
    writer.final("what is new line this")
    until(lambda: paper.texts["b"] == "what is\nthis", "not typed")
    assert hand.finish(5) == 0
    assert paper.texts["a"] == "Hello there"
    assert all(pens["paste"].breaks)
    assert not any(pens["auto"].breaks)
    writer.close()
    assert all(pen.closed for pen in pens.values())


def test_a_way_to_type_that_does_not_work_is_refused_before_anything_changes() -> None:
    paper = Paper()

    def opened(name: str) -> Paper:
        if name == "wtype":
            raise DeviceError("cannot type by wtype: not installed")
        return paper

    hand = Hand(paper)
    writer = Writer(Settings(hold_back=0), paper, hand, opened)
    chat = Profile(re.compile("chat"), Style(), "wtype")
    with pytest.raises(DeviceError, match="not installed"):
        writer.change(Settings(profiles=(chat,), style=Style(capitals=False)), None)
    writer.begin()
    writer.final("as before")
    until(lambda: paper.texts["a"] == "As before", "not typed")
    assert hand.finish(5) == 0


def test_what_came_to_nothing_is_taken_back() -> None:
    paper = Paper()
    hand = Hand(paper)
    writer = Writer(Settings(hold_back=0), paper, hand, lambda _: paper)
    writer.begin()
    writer.partial("hm")
    until(lambda: paper.texts["a"] == "Hm", "not typed")
    writer.end()
    until(lambda: paper.texts["a"] == "", "not taken back")
    assert hand.finish(5) == 0
