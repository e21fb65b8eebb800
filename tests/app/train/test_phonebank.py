from pathlib import Path

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
    bank = PhoneBank.gather([heard([1, 3]), heard([2, 3], base=2)])
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


def test_a_bank_survives_its_file(tmp_path: Path) -> None:
    bank = PhoneBank.gather([heard([1, 2, 2, 3, 0])])
    bank.write(tmp_path / "bank.npz")
    again = PhoneBank.read(tmp_path / "bank.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["bank.npz"]
    for seed in range(3):
        sentence = [np.array([3, 2, 1])]
        (a,), _ = bank.play(sentence, np.random.default_rng(seed))
        (b,), _ = again.play(sentence, np.random.default_rng(seed))
        np.testing.assert_array_equal(a, b)


def test_of_a_long_silence_only_the_end_is_kept() -> None:
    bank = PhoneBank.gather([heard([0] * 40 + [2])])
    (played,), (length,) = bank.play([np.array([0])], np.random.default_rng(0))
    assert length == LONGEST
    assert played[:, 0].tolist() == list(range(40 - LONGEST, 40))
