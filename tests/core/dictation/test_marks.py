from streamasr.core.dictation.marks import LETTER_NAMES, MARKS, NATO, Glue


def test_marks_are_said_in_plain_lower_case_words() -> None:
    for said in MARKS:
        assert said == said.lower().strip()
        assert all(word.isalpha() for word in said.split())


def test_brackets_and_quotes_come_in_pairs_that_hug_what_they_enclose() -> None:
    opening = {said.removeprefix("open ") for said in MARKS if said.startswith("open ")}
    closing = {said.removeprefix("close ") for said in MARKS if said.startswith("close ")}
    assert opening == closing
    for pair in opening:
        assert MARKS[f"open {pair}"].glue is Glue.AFTER
        assert MARKS[f"close {pair}"].glue is Glue.BEFORE


def test_every_letter_has_a_word_of_the_alphabet() -> None:
    assert set(NATO.values()) == set("abcdefghijklmnopqrstuvwxyz")
    assert all(len(letter) == 1 for letter in LETTER_NAMES.values())
