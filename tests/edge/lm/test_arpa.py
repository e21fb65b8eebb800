from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.lm.estimate import count, estimate
from streamasr.edge.lm.arpa import read_arpa, read_words, write_arpa
from streamasr.edge.lm.ngram import SPECIAL
from streamasr.errors import BundleError
from tests.app.lm.test_estimate import babble

WORDS = (*SPECIAL, *"abcdefgh")

BY_HAND = """\
A comment before the data is allowed.

\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-0.3010\t</s>
-99\t<s>\t-0.4771
-1\tb
-0.5\ta\t-0.25
-2\t<unk>

\\2-grams:
-0.1\t<s> a
-0.2\ta b

\\end\\
"""


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz", "lm.arpa.xz"])
def test_a_model_survives_the_round_trip(tmp_path: Path, name: str) -> None:
    model = estimate(WORDS, count(babble(5), WORDS, 3))
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name)
    assert again.words == model.words
    assert again.sizes == model.sizes
    for a, b in zip(again.orders, model.orders, strict=True):
        assert (a.keys == b.keys).all()
        assert a.log_probs[1:] == pytest.approx(b.log_probs[1:], abs=0.012)
        assert a.backoffs == pytest.approx(b.backoffs, abs=0.012)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = estimate(WORDS, count(babble(5), WORDS, 2))
    for name in ("a.arpa.gz", "b.arpa.gz"):
        write_arpa(model, tmp_path / name)
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.arpa.gz").read_bytes()


def test_another_toolkits_file_is_read_in_any_order_of_words(tmp_path: Path) -> None:
    file = tmp_path / "lm.arpa"
    file.write_text(BY_HAND)
    model = read_arpa(file)
    assert model.words == (*SPECIAL, "b", "a")
    tens = model.sentence_scores(["a", "b"]) / np.log(10)
    assert tens == pytest.approx([-0.1, -0.2, -0.301])
    assert model.sentence_scores(["b"])[0] / np.log(10) == pytest.approx(-0.4771 - 1)


@pytest.mark.parametrize(
    "broken", ["", BY_HAND[:-8], BY_HAND[:-18], BY_HAND.replace("-0.1\t", "x\t")]
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "lm.arpa"
    file.write_text(broken)
    with pytest.raises(BundleError, match="ARPA"):
        read_arpa(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.arpa"):
        read_arpa(tmp_path / "none.arpa")


def test_words_alone_the_most_frequent_first(tmp_path: Path) -> None:
    file = tmp_path / "lm.arpa"
    file.write_text(BY_HAND.replace("-0.2\ta b", "this is not looked at"))
    assert read_words(file) == ["a", "b"]


@pytest.mark.parametrize("broken", [BY_HAND[:60], "", BY_HAND.replace("-1\tb", "-1 b")])
def test_words_of_a_file_that_is_broken(tmp_path: Path, broken: str) -> None:
    (tmp_path / "lm.arpa").write_text(broken)
    with pytest.raises(BundleError, match="ARPA"):
        read_words(tmp_path / "lm.arpa")
    with pytest.raises(BundleError, match="no such"):
        read_words(tmp_path / "other.arpa")
