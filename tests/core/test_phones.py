from streamasr.core.phones import ENTER, LABELS, PHONES, SILENCE, START_WORD, STAY


def test_silence_comes_first() -> None:
    assert PHONES[SILENCE] == "SIL"
    assert len(PHONES) == 40


def test_labels_do_not_overlap_and_leave_zero_free() -> None:
    ranges = [range(first, first + len(PHONES)) for first in (STAY, ENTER, START_WORD)]
    assert [label for labels in ranges for label in labels] == list(range(1, LABELS + 1))
