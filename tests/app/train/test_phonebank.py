import numpy as np

from streamasr.app.alignment import NO_TARGET
from streamasr.app.train.phonebank import LONGEST, PhoneBank


def heard(targets: list[int], base: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors that name their own row in column 0, so that what is played can be traced."""
    posteriors = np.zeros((len(targets), 4), np.float16)
    posteriors[:, 0] = base + np.arange(len(targets))
    return posteriors, np.array(targets, np.int64)


def test_segments_are_runs_of_known_targets_and_play_whole() -> None:
    bank = PhoneBank.gather([heard([0, 0, 2, 2, 2, NO_TARGET, 3, 1])])
    assert len(bank) == 4
    (played,), (length,) = bank.play([np.array([0, 2])], np.random.default_rng(0))
    assert length == 5
    assert played[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_phone_is_played_as_it_stood_after_the_same_phone() -> None:
    bank = PhoneBank.gather([heard([1, 3]), heard([2, 3], base=2)], groups=1)
    for left, row in ((1, 1), (2, 3)):
        for seed in range(5):
            (played,), _ = bank.play([np.array([left, 3])], np.random.default_rng(seed))
            assert played[-1, 0] == row


def test_a_pair_never_heard_falls_back_to_the_phone() -> None:
    bank = PhoneBank.gather([heard([1, 3, 3, 2])])
    (played,), _ = bank.play([np.array([2, 3])], np.random.default_rng(0))
    assert played[-2:, 0].tolist() == [1, 2]


def test_sentences_of_a_batch_come_back_apart() -> None:
    bank = PhoneBank.gather([heard([1, 2, 2, 3])])
    parts, lengths = bank.play([np.array([1]), np.array([2, 3])], np.random.default_rng(0))
    assert lengths == [1, 3]
    assert [part[:, 0].tolist() for part in parts] == [[0], [1, 2, 3]]


def test_where_there_are_enough_a_phone_comes_from_between_the_same_two() -> None:
    same = [heard([1, 3, 2], base=10 * i) for i in range(3)]
    bank = PhoneBank.gather([*same, heard([1, 3, 1], base=90)], groups=1)
    for seed in range(9):
        (played,), _ = bank.play([np.array([1, 3, 2])], np.random.default_rng(seed))
        assert played[1, 0] in (1, 11, 21)


def test_a_sentence_is_played_from_utterances_heard_equally_well() -> None:
    """Column 0 is the best phone, so utterances of phone 0 are heard well and others badly."""
    well, badly = heard([0, 0, 0], base=1), heard([2, 2, 2], base=50)
    bank = PhoneBank.gather([well, badly], groups=2)
    assert bank.groups == 2
    for seed in range(4):  # neither group has the other's phone: it is borrowed
        (played,), _ = bank.play([np.array([0, 2])], np.random.default_rng(seed))
        assert len(played) == 6


def test_of_a_long_silence_only_the_end_is_kept() -> None:
    bank = PhoneBank.gather([heard([0] * 40 + [2])])
    (played,), (length,) = bank.play([np.array([0])], np.random.default_rng(0))
    assert length == LONGEST
    assert played[:, 0].tolist() == list(range(40 - LONGEST, 40))
