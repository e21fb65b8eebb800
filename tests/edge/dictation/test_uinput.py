from collections.abc import Sequence

import pytest

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.clipboard import Clipboard
from streamasr.edge.dictation.keyboards import INSERT, LEFT_SHIFT
from streamasr.edge.dictation.keymap import Keymap, Stroke
from streamasr.edge.dictation.uinput import KernelTypist, Layout, nearest
from streamasr.errors import DeviceError

LETTERS = "abcdefgh -?'"
DEAD = Stroke(90)
KEYMAP = Keymap(
    {letter: (Stroke(number),) for number, letter in enumerate(LETTERS, 1)}
    | {
        "A": (Stroke(1, (LEFT_SHIFT,)),),
        "â": (DEAD, Stroke(1)),
        "\n": (Stroke(28),),
        "\b": (Stroke(14),),
    },
    "small",
)


class Keys:
    """A keyboard that keeps what is pressed."""

    def __init__(self) -> None:
        self.taps: list[tuple[int, tuple[int, ...]]] = []

    def tap(self, code: int, held: Sequence[int] = ()) -> None:
        self.taps.append((code, tuple(held)))

    def close(self) -> None:
        pass


class Small(Layout):
    def __init__(self) -> None:
        super().__init__({})

    def keymap(self, *, is_locked: bool = False) -> Keymap:
        return KEYMAP


class Board(Clipboard):
    def __init__(self) -> None:
        super().__init__([], [])
        self.held = [["before", ""]]

    def read(self) -> list[str]:
        return self.held[-1]

    def write(self, texts: Sequence[str]) -> None:
        self.held.append(list(texts))


def typist(keys: Keys, clipboard: Clipboard | None = None) -> KernelTypist:
    return KernelTypist("uinput", keys, Small(), clipboard, sleep=lambda _: None)


def code(letter: str) -> int:
    return LETTERS.index(letter) + 1


def test_what_is_wrong_goes_before_what_is_right_comes() -> None:
    keys = Keys()
    typist(keys).write(Edit(2, "Aâ"))
    assert keys.taps == [(14, ()), (14, ()), (1, (LEFT_SHIFT,)), (90, ()), (1, ())]


def test_a_soft_line_break_is_shift_and_return() -> None:
    keys = Keys()
    typist(keys).write(Edit(0, "a\nb"))
    typist(keys).write(Edit(0, "\n"), soft_breaks=True)
    assert keys.taps == [(code("a"), ()), (28, ()), (code("b"), ()), (28, (LEFT_SHIFT,))]


def test_what_has_no_key_is_pasted_in_its_place_and_the_clipboard_put_back() -> None:
    keys, board = Keys(), Board()
    typist(keys, board).write(Edit(0, "a Я🙂 b"))
    assert keys.taps == [
        *((code(letter), ()) for letter in "a "), (INSERT, (LEFT_SHIFT,)),
        *((code(letter), ()) for letter in " b"),
    ]  # fmt: skip
    assert board.held == [["before", ""], ["Я🙂", "Я🙂"], ["before", ""]]


def test_without_a_clipboard_one_letter_stands_for_one_so_that_it_can_be_taken_back() -> None:
    keys = Keys()
    typist(keys).write(Edit(0, "ä–Я’🙂"))
    assert keys.taps == [(code(letter), ()) for letter in "a-?'?"]
    assert nearest("–", KEYMAP) == "-"


def test_a_clipboard_that_fails_is_as_none() -> None:
    keys, broken = Keys(), Clipboard([], [["false"], ["false"]])
    typist(keys, broken).write(Edit(0, "a–b"))
    assert keys.taps == [(code(letter), ()) for letter in "a-b"]


def test_a_key_that_the_layout_lacks_is_an_error() -> None:
    with pytest.raises(DeviceError, match="layout small has no key for"):
        typist(Keys())._type(KEYMAP, "z")
