from streamasr.core.punctuation.scores import CASES, LOOKS, MARKS, SCORES


def test_looks_lie_side_by_side_and_the_later_one_waits_longer() -> None:
    taken = [i for look in LOOKS for part in (look.marks, look.cases) for i in range(SCORES)[part]]
    assert taken == list(range(SCORES))
    assert SCORES == 2 * (MARKS + CASES)
    assert [(look.mark_delay, look.case_delay) for look in LOOKS] == [(1, 0), (2, 1)]
