from __future__ import annotations

import pytest

from streamasr.app.lm.estimate import count
from streamasr.app.lm.mix import mix_tables
from streamasr.edge.lm.ngram import SPECIAL

WORDS = (*SPECIAL, *"abcdefgh")


def test_counts_are_mixed_as_shares() -> None:
    parts = [count([["a", "a"]], WORDS, 2), count([["b"]], WORDS, 2)]
    unigrams, bigrams = mix_tables(parts, [0.75, 0.25])
    a, b = WORDS.index("a"), WORDS.index("b")
    counts = dict(zip(unigrams.keys.tolist(), unigrams.counts.tolist(), strict=True))
    assert counts == pytest.approx({0: 0.75 / 4 + 0.25 / 3, 1: 0.75 / 4 + 0.25 / 3,
                                    a: 1.5 / 4, b: 0.25 / 3})  # fmt: skip
    assert len(bigrams.keys) == 5
