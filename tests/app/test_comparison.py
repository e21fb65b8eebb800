"""Differences whose distribution is known, and hypotheses read back."""

import math
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.comparison import compare, paired_bootstrap, read_hypotheses
from streamasr.app.evaluate import Decoded, write_hypotheses
from streamasr.app.manifest import Utterance
from streamasr.app.wer import Errors
from streamasr.errors import UsageError


def wrong(words: int, length: int = 10) -> Errors:
    return Errors(substitutions=words, length=length)


def heard(texts: list[str]) -> list[Decoded]:
    """Hypotheses of "a b c d", two utterances a speaker."""
    return [
        Decoded(
            Utterance(f"u{i}", Path("u.wav"), 1.0, f"s{i // 2}", "dev", "a b c d", "c"),
            "a b c d",
            text,
            0.01,
            (),
        )
        for i, text in enumerate(texts)
    ]


def test_a_system_equals_itself() -> None:
    same = [wrong(i % 3) for i in range(40)]
    found = paired_bootstrap(same, same, range(40))
    assert (found.difference, found.low, found.high, found.better) == (0.0, 0.0, 0.0, 0.5)


def test_one_error_less_everywhere_is_certain() -> None:
    found = paired_bootstrap([wrong(1)] * 30, [wrong(2)] * 30, range(30))
    assert found.difference == pytest.approx(-0.1)
    assert found.low == pytest.approx(-0.1)
    assert found.high == pytest.approx(-0.1)
    assert found.better == 1.0


def test_the_spread_is_that_of_the_binomial() -> None:
    """Half the utterances gain an error, half lose one: the sum is a random walk."""
    ours = [wrong(1 + (i % 2)) for i in range(100)]
    theirs = [wrong(2 - (i % 2)) for i in range(100)]
    found = paired_bootstrap(ours, theirs, range(100))
    assert found.difference == 0.0
    assert found.high == pytest.approx(1.96 * math.sqrt(100) / 1000, rel=0.1)
    assert found.low == pytest.approx(-found.high, rel=0.1)
    assert found.better == pytest.approx(0.5, abs=0.02)


def test_few_speakers_are_less_sure_than_their_many_utterances() -> None:
    rng = np.random.default_rng(0)
    speakers = [i // 50 for i in range(500)]
    shift = rng.normal(-0.3, 1.0, 10)
    ours = [wrong(max(0, round(3 + shift[s]))) for s in speakers]
    theirs = [wrong(3)] * 500
    single = paired_bootstrap(ours, theirs, range(500))
    grouped = paired_bootstrap(ours, theirs, speakers)
    assert (single.clusters, grouped.clusters) == (500, 10)
    assert single.difference == grouped.difference
    assert grouped.high - grouped.low > 4 * (single.high - single.low)


def test_a_comparison_tells_both_rates_and_both_ways() -> None:
    ours = heard(["a b c d"] * 6)
    theirs = heard(["a b c d", "a b c"] * 3)
    found = compare(ours, theirs, "old")
    assert found["against"] == "old"
    assert found["wer_against"] == 0.125
    assert found["difference"] == -0.125
    assert found["by_utterance"]["clusters"] == 6
    assert found["by_utterance"]["low"] < -0.125 < found["by_utterance"]["high"] <= 0
    # every speaker lost one word of eight: drawn by speaker nothing is left to chance
    assert found["by_speaker"] == {"clusters": 3, "low": -0.125, "high": -0.125, "better": 1.0}


def test_hypotheses_come_back_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    results = heard(["a", "b", "c", "d"])
    write_hypotheses(results[::-1], tmp_path / "h.jsonl")
    found = read_hypotheses(tmp_path / "h.jsonl", results[:3])
    assert [(r.utterance.id, r.hypothesis) for r in found] == [
        ("u0", "a"),
        ("u1", "b"),
        ("u2", "c"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"id": "u0", "reference": "a b c d", "hypothesis": "a"}\n', "lacks utterance u1"),
        ('{"id": "u0", "reference": "a b", "hypothesis": "a"}\n', "another transcript of"),
        ('{"id": "u0"}\n', "holds no hypotheses"),
        ("RIFF....", "holds no hypotheses"),
    ],
)
def test_other_speech_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text(text)
    with pytest.raises(UsageError, match=fault):
        read_hypotheses(tmp_path / "h.jsonl", heard(["a", "b"]))
