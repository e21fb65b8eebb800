import pytest

from streamasr.core.dictation.numbers import digits, unfinished_number

CASES = {
    "i have two cats and twelve dogs": "i have two cats and 12 dogs",
    "call me at half past three": "call me at 3:30",
    "a quarter to one p m": "12:45 p.m.",
    "three thirty p m": "3:30 p.m.",
    "come at three oh five": "come at 3:05",
    "seven o'clock": "7 o'clock",
    "twenty dollars and five cents": "$20.05",
    "twenty five cents": "25¢",
    "two point five million dollars": "$2.5 million",
    "minus five degrees": "-5°",
    "twenty one degrees celsius": "21 °C",
    "ten percent of five kilometers": "10% of 5 km",
    "may the fifth twenty twenty six": "May 5, 2026",
    "the fifth of may nineteen ninety nine": "5 May 1999",
    "june tenth": "June 10",
    "you may first want that": "you may first want that",
    "march on ten miles": "march on 10 miles",
    "nineteen eighty four": "1984",
    "one two three four oh five": "123405",
    "three point one four": "3.14",
    "one hundred twenty three thousand four hundred fifty six": "123,456",
    "three million people": "3 million people",
    "the twenty first century": "the 21st century",
    "second to none and one of them": "second to none and one of them",
    "give me a second": "give me a second",
}


@pytest.mark.parametrize("said", CASES)
def test_what_is_said_is_written_so(said: str) -> None:
    assert " ".join(digits(said.split())) == CASES[said]


def test_words_without_numbers_stay() -> None:
    words = ["the", "quick", "brown", "fox", "may", "march", "on"]
    assert digits(words) == words
    assert digits([]) == []


@pytest.mark.parametrize(
    ("said", "held"),
    [("i paid twenty", 1), ("i paid twenty five dollars and", 4), ("i paid", 0), ("go to", 0)],
)
def test_a_number_that_may_go_on_is_known(said: str, held: int) -> None:
    assert unfinished_number(said.split()) == held


def test_what_is_shown_of_a_growing_number_never_changes() -> None:
    """Words that are not held back are written the same when more follow."""
    for said, written in CASES.items():
        words = said.split()
        for count in range(len(words)):
            start = words[:count]
            sure = start[: len(start) - unfinished_number(start)]
            shown = " ".join(digits(sure))
            assert written.startswith(shown), (start, shown, written)
