import gzip
from pathlib import Path

import pytest

from streamasr.app.train.inventory import Tokeniser, learn_pieces, read_sentences
from streamasr.core.units import BLANK_SYMBOL
from streamasr.errors import ConfigError

SENTENCES = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog's log"] * 20


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser(learn_pieces(SENTENCES, 40))


@pytest.mark.parametrize("text", [*SENTENCES[:3], "dot tag mood", "g"])
def test_text_survives_the_round_trip(tokeniser: Tokeniser, text: str) -> None:
    assert tokeniser.units.text(tokeniser.encode(text)) == text


def test_blank_comes_first_and_is_never_a_target(tokeniser: Tokeniser) -> None:
    assert tokeniser.units.symbols[0] == BLANK_SYMBOL
    assert len(tokeniser.units) == 40
    assert 0 not in tokeniser.encode("the cat zzz")


def test_too_many_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot make 5000 units"):
        learn_pieces(SENTENCES, 5000)


def test_sentences_are_normalised_and_unspeakable_ones_left_out(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.txt.gz", "wt") as out:
        out.write("Hello, World!\nin 1999\n\nBye.\n")
    assert list(read_sentences(tmp_path / "t.txt.gz")) == ["hello world", "bye"]
