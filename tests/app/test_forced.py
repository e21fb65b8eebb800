"""Alignments that can be worked out by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from streamasr.app.alignment import phone_targets
from streamasr.app.forced import Sentence, spread
from streamasr.core.phones import PHONE_IDS, PHONES

LEXICON = {"to": [("T", "UW"), ("T", "AH")], "go": [("G", "OW")], "oh": [("OW",)]}


def heard(*runs: tuple[str, int], sure: float = 0.9) -> np.ndarray:
    """Log posteriors of phones that are each heard for so many frames."""
    labels = [PHONE_IDS[phone] for phone, count in runs for _ in range(count)]
    scores = np.full((len(labels), len(PHONES)), (1 - sure) / (len(PHONES) - 1), np.float32)
    scores[np.arange(len(labels)), labels] = sure
    return np.log(scores)


def align(words: str, scores: np.ndarray, shortest: int = 3) -> tuple[list, list]:
    sentence = Sentence.build(words.split(), LEXICON)
    assert sentence is not None
    path = sentence.align(scores, shortest=shortest)
    assert path is not None
    return sentence.words(path), sentence.phones(path)


def test_what_is_heard_is_where_it_is_heard() -> None:
    runs = [("SIL", 10), ("T", 4), ("AH", 5), ("SIL", 20), ("G", 6), ("OW", 9), ("SIL", 4)]
    words, phones = align("to go", heard(*runs))
    assert words == [
        ("<sil>", 0, 10), ("to", 10, 9), ("<sil>", 19, 20), ("go", 39, 15), ("<sil>", 54, 4),
    ]  # fmt: skip
    assert [(phone, length) for phone, _, length in phones] == runs
    assert [start for _, start, _ in phones] == [0, 10, 14, 19, 39, 45, 54]


def test_no_silence_is_needed() -> None:
    words, _ = align("to go to", heard(*[(p, 5) for p in ("T", "UW", "G", "OW", "T", "AH")]))
    assert words == [("to", 0, 10), ("go", 10, 10), ("to", 20, 10)]


def test_the_same_word_twice_is_two_words() -> None:
    words, phones = align("oh oh", heard(("OW", 12)))
    assert [label for label, _, _ in words] == ["oh", "oh"]
    assert [label for label, _, _ in phones] == ["OW", "OW"]
    assert sum(length for _, _, length in words) == 12


def test_a_phone_that_is_not_heard_gets_the_least_time() -> None:
    words, phones = align("to go", heard(("T", 5), ("SIL", 3), ("OW", 9)))
    assert all(length >= 3 for _, _, length in phones)
    assert [label for label, _, _ in words if label != "<sil>"] == ["to", "go"]


def test_too_few_frames_cannot_hold_the_words() -> None:
    sentence = Sentence.build(["to", "go"], LEXICON)
    assert sentence is not None
    assert sentence.align(heard(("SIL", 11))) is None
    assert sentence.align(heard(("SIL", 12))) is not None


def test_words_that_nothing_can_say_give_no_sentence() -> None:
    assert Sentence.build(["to", "quux"], LEXICON) is None
    assert Sentence.build([], LEXICON) is None
    assert Sentence.build(["to"], {"to": []}) is None


@pytest.mark.parametrize("shortest", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_the_path_is_the_best_of_all(seed: int, shortest: int) -> None:
    """Against every way to cut 10 frames into the phones of every reading."""
    scores = np.random.default_rng(seed).normal(size=(10, len(PHONES))).astype(np.float32)
    best = -np.inf
    for said in (("T", "UW"), ("T", "AH")):
        for gaps in product((False, True), repeat=3):
            phones = [PHONE_IDS[p] for p in said]
            phones = [0] * gaps[0] + phones + [0] * gaps[1]
            phones += [PHONE_IDS["OW"]] + [0] * gaps[2]
            for lengths in product(range(shortest, 11), repeat=len(phones)):
                if sum(lengths) == 10:
                    path = np.repeat(phones, lengths)
                    best = max(best, float(scores[np.arange(10), path].sum()))
    sentence = Sentence.build(["to", "oh"], LEXICON)
    assert sentence is not None
    path = sentence.align(scores, shortest=shortest)
    if path is None:
        assert best == -np.inf
        return
    phones = np.array(sentence.phone)[path]
    assert float(scores[np.arange(10), phones].sum()) == pytest.approx(best, abs=1e-4)
    assert all(length >= shortest for _, _, length in sentence.phones(path))


def test_spreading_undoes_the_targets_of_training() -> None:
    """What training would sample from frames comes back at those frames."""
    frames = np.repeat(np.arange(1, 11), 12).astype(np.int8)  # phones of 120 ms
    targets = phone_targets(frames, emissions=40, frames_per_emission=4, delay=6)
    log_probs = np.zeros((40, len(PHONES)), np.float32)
    log_probs[np.arange(40), targets] = 1.0
    back = spread(log_probs, frames=len(frames), per_emission=4, delay=6).argmax(axis=1)
    wrong = np.flatnonzero(back != frames)
    assert len(wrong) <= 20, "at most two frames at a boundary"
    assert all(min(abs(int(f) - b) for b in range(0, 121, 12)) <= 2 for f in wrong)


def test_a_single_emission_is_spread_too() -> None:
    log_probs = np.log(np.full((1, len(PHONES)), 1 / len(PHONES), np.float32))
    assert spread(log_probs, frames=3, per_emission=4, delay=6).shape == (3, len(PHONES))
