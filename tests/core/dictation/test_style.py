from streamasr.core.dictation.marks import MARKS, Piece
from streamasr.core.dictation.style import ALONE, COMMANDS, FIRST, Command, Punctuation, Style


def test_the_longest_phrase_wins() -> None:
    style = Style()
    assert style.longest(["all", "caps", "on"], 0) == (Command.ALL_CAPS_ON, 3)
    assert style.longest(["all", "caps", "hello"], 0) == (Command.ALL_CAPS, 2)
    assert style.longest(["all", "of", "it"], 0) is None


def test_the_users_own_phrases_win_and_marks_can_be_taken_away() -> None:
    style = Style(
        marks={"period": None, "smiley": ":-)"},
        replace={"my mail": "ada@example.org"},
        words=("Ada Lovelace",),
    )
    assert style.longest(["period"], 0) is None
    assert style.longest(["smiley"], 0) == (Piece(":-)", is_fixed=True), 1)
    assert style.longest(["my", "mail"], 0) == (Piece("ada@example.org", is_fixed=True), 2)
    assert style.longest(["ada", "lovelace"], 0) == (Piece("Ada Lovelace", is_fixed=True), 2)


def test_what_may_become_a_phrase_is_known() -> None:
    style = Style()
    assert style.unfinished(["and", "then", "new"]) == 1
    assert style.unfinished(["and", "all", "caps"]) == 2  # on, off
    assert style.unfinished(["and", "then"]) == 0
    assert style.unfinished([]) == 0


def test_what_is_switched_off_means_nothing() -> None:
    plain = Style(punctuation=Punctuation.NONE, commands=False)
    assert all(plain.longest(said.split(), 0) is None for said in [*MARKS, *COMMANDS])


def test_every_command_can_be_said() -> None:
    assert {*COMMANDS.values(), *ALONE.values(), *FIRST.values()} == set(Command)


def test_a_mark_that_is_known_keeps_its_spacing_under_another_name() -> None:
    style = Style(marks={"dot": ".", "shrug": "¯\\_(ツ)_/¯"})
    assert style.longest(["dot"], 0) == (MARKS["period"], 1)
