from hypothesis import given
from hypothesis import strategies as st

from streamasr.core.dictation.edits import Edit, common_prefix, smallest_edit

TEXTS = st.text(alphabet="ab ü🙂\n", max_size=12)


@given(TEXTS, TEXTS)
def test_an_edit_leads_to_what_is_wanted_and_erases_nothing_in_common(
    typed: str, wanted: str
) -> None:
    edit = smallest_edit(typed, wanted)
    kept = typed[: len(typed) - edit.erase]
    assert kept + edit.text == wanted
    if edit.erase and edit.text:
        assert typed[len(kept)] != edit.text[0]


@given(TEXTS, TEXTS, TEXTS)
def test_the_common_prefix_is_that_of_a_loop(start: str, first: str, second: str) -> None:
    one, two = start + first, start + second
    count = 0
    for a, b in zip(one, two, strict=False):
        if a != b:
            break
        count += 1
    assert common_prefix(one, two) == count


def test_growth_is_appended_and_nothing_is_nothing() -> None:
    assert smallest_edit("to s", "to see") == Edit(0, "ee")
    assert smallest_edit("to see", "two sees") == Edit(5, "wo sees")
    assert smallest_edit("same", "same").is_empty
