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
    "it costs a dollar fifty": "it costs $1.50",
    "i have a dollar": "i have a dollar",
    "three dollars fifty please": "$3.50 please",
    "three dollars fifty people paid": "$3.50 people paid",
    "minus five dollars": "-$5",
    "twenty pounds fifty": "£20.50",
    "twenty pounds of sugar": "20 pounds of sugar",
    "five hundred pounds sterling": "£500",
    "five pounds and twenty pence": "£5.20",
    "fifty pence": "50p",
    "two and a half million dollars": "$2.5 million",
    "half a million people": "half a million people",
    "two and a half hours": "two and a half hours",
    "two and a half kilometers": "2.5 km",
    "twelve and a half": "12.5",
    "point five percent": "0.5%",
    "ten per cent of it": "10% of it",
    "sixty miles per hour": "60 mph",
    "sixty miles away": "60 miles away",
    "a hundred and twenty kilometers per hour": "120 km/h",
    "ten megabytes per second": "10 MB/s",
    "ten square meters": "10 m²",
    "two cubic meters": "2 m³",
    "ten past six": "6:10",
    "ten minutes past six p m": "6:10 p.m.",
    "for ten minutes past the house": "for 10 minutes past the house",
    "meet me at five to three": "meet me at 2:55",
    "twenty to one p m": "12:40 p.m.",
    "five to six people": "five to six people",
    "at nine in the morning": "at 9 in the morning",
    "nine in the room": "nine in the room",
    "eight thirty in the evening": "8:30 in the evening",
    "at fifteen hundred hours": "at 15:00",
    "oh eight hundred hours": "08:00",
    "three hundred hours of work": "300 hours of work",
    "the nineteen eighties": "the 1980s",
    "monday the fourth of july nineteen seventy six": "monday 4 July 1976",
    "call double five seven three": "call 5573",
    "a double bed": "a double bed",
    "version two point five point one": "version 2.5.1",
    "see chapter seven": "see chapter 7",
    "room three oh five": "room 305",
    "open twenty four seven": "open 24/7",
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
