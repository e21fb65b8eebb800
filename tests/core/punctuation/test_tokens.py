from collections import Counter

from streamasr.core.punctuation.tokens import (
    BUCKETS,
    FEATURES,
    NUMBER,
    PAUSE,
    SPOKEN,
    WORD_BITS,
    features,
)

WORDS = [a + b + c for a in "bcdfgl" for b in ("at", "end", "ill", "ow") for c in ("s", "ing", "")]


def test_features_are_rows_of_the_two_tables() -> None:
    for token in (*WORDS, "", "é", PAUSE, NUMBER, *SPOKEN.values()):
        rows = features(token)
        assert len(rows) == FEATURES
        assert all(0 <= row < 1 << WORD_BITS for row in rows[:2])
        assert all(1 << WORD_BITS <= row < BUCKETS for row in rows[2:])


def test_words_that_share_one_place_do_not_share_the_other() -> None:
    both = Counter(features(f"word{n}")[:2] for n in range(30_000))
    assert len(both) == 30_000  # by chance 2 pairs of 268 million meet
    firsts = Counter(rows[0] for rows in both)
    assert firsts.most_common(1)[0][1] > 1


def test_an_ending_is_shared_and_a_beginning_too() -> None:
    walking, talking, walked = map(features, ("walking", "talking", "walked"))
    assert walking[3] == talking[3] != walked[3]
    assert walking[2] == walked[2] != talking[2]
    assert len({features(token)[:2] for token in (PAUSE, NUMBER, *SPOKEN.values())}) == 5
