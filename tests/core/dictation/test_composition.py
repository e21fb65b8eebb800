import random

import pytest

from streamasr.core.dictation.composition import Act, Break, Commit, Composition, Erase, Show
from streamasr.core.dictation.edits import Edit, smallest_edit


class Field:
    """A text field that takes part in an input method."""

    def __init__(self) -> None:
        self.text, self.open = "", ""

    def do(self, acts: list[Act]) -> None:
        for act in acts:
            match act:
                case Show(text):
                    self.open = text
                case Commit(text):
                    assert not self.open, "open text would stand behind what is committed"
                    self.text += text
                case Erase(count):
                    assert not self.open
                    assert 0 < count <= len(self.text)
                    self.text = self.text[: len(self.text) - count]
                case Break():
                    assert not self.open
                    self.text += "\n"


def test_open_text_is_replaced_and_only_what_was_committed_takes_backspaces() -> None:
    composition = Composition()
    assert composition.write(Edit(0, "two see")) == [Show("two see")]
    assert composition.write(Edit(3, "cities")) == [Show("two cities")]
    assert composition.is_open
    assert composition.settle() == [Show(""), Commit("two cities")]
    assert not composition.is_open
    assert composition.settle() == []
    assert composition.write(Edit(6, "towns")) == [Erase(6), Show("towns")]
    assert composition.write(Edit(7, "")) == [Show(""), Erase(2)]


def test_line_breaks_settle_what_is_before_them() -> None:
    composition = Composition()
    composition.write(Edit(0, "one"))
    acts = composition.write(Edit(0, " two\n\nthree"), soft_breaks=True)
    assert acts == [Show(""), Commit("one two"), Break(True), Break(True), Show("three")]


def test_what_the_program_took_over_is_erased_like_anything_committed() -> None:
    composition = Composition()
    composition.write(Edit(0, "open"))
    composition.committed()
    assert composition.write(Edit(2, "us")) == [Erase(2), Show("us")]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_written_the_field_holds_it(seed: int) -> None:
    rng = random.Random(seed)
    composition, field, wanted = Composition(), Field(), ""
    for _ in range(200):
        kept = rng.randint(max(0, len(wanted) - 12), len(wanted))
        before = wanted
        wanted = wanted[:kept] + "".join(rng.choices("ab é🙂\n", k=rng.randint(0, 9)))
        field.do(composition.write(smallest_edit(before, wanted)))
        if rng.random() < 0.3:
            field.do(composition.settle())
        if rng.random() < 0.05:  # the focus is lost
            field.text, field.open = field.text + field.open, ""
            composition.committed()
        assert field.text + field.open == wanted, f"seed {seed}"
