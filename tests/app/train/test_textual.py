from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.app.train.config import TextConfig
from streamasr.app.train.inventory import Tokeniser, learn_pieces
from streamasr.app.train.phonebank import PhoneBank
from streamasr.app.train.textual import TextSource
from streamasr.core.phones import PHONE_IDS, PHONES, SILENCE
from streamasr.errors import ConfigError

LEXICON = {
    "a": [("AH",), ("EY",)],
    "cat": [("K", "AE", "T")],
    "sat": [("S", "AE", "T")],
}
CALM = TextConfig(skip_probability=0.0, pause_probability=0.0)


def bank_of_pure_phones() -> PhoneBank:
    """Every phone once, two emissions long, with no doubt."""
    targets = np.repeat(np.arange(len(PHONES)), 2)
    return PhoneBank.gather([(np.eye(len(PHONES), dtype=np.float16)[targets], targets)])


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser(learn_pieces(["a cat sat", "a sat cat", "cat cat a"] * 20, 14))


def draw(source: TextSource, tokeniser: Tokeniser, emissions: int = 1, seed: int = 0):
    return source.batch(
        bank_of_pure_phones(),
        tokeniser,
        emissions=emissions,
        outputs_per_step=2,
        tail_steps=1,
        rng=np.random.default_rng(seed),
    )


def test_a_sentence_becomes_its_phones_and_its_units(tokeniser: Tokeniser) -> None:
    batch = draw(TextSource([["cat", "sat"]], LEXICON, CALM), tokeniser)
    heard = batch.phones[0].argmax(dim=1)[::2]
    expected = [SILENCE, *(PHONE_IDS[p] for p in ("K", "AE", "T", "S", "AE", "T")), SILENCE]
    assert heard.tolist() == [*expected, SILENCE]  # the tail
    assert batch.steps.tolist() == [len(expected) + 1]
    assert batch.targets.tolist() == tokeniser.encode("cat sat")


def test_of_many_sentences_so_many_are_kept_as_asked(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a cat\ncat sat\n" * 20)
    config = TextConfig(files=("text.txt",), most_sentences=5)
    assert len(TextSource.load(config, tmp_path, []).sentences) == 5


def test_a_lexicon_adds_words_and_changes_none(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("cat zyxo\n")
    (tmp_path / "more.txt").write_text("zyxo Z IH K S OW\ncat D AO G\n")
    config = TextConfig(files=("text.txt",), skip_probability=0.0, lexicon="more.txt")
    source = TextSource.load(config, tmp_path, [])
    said = source._say(["cat", "zyxo"], np.random.default_rng(0)).tolist()
    for phone in ("K", "AE", "T", "Z", "IH", "S", "OW"):
        assert PHONE_IDS[phone] in said
    assert PHONE_IDS["D"] not in said


def test_what_the_lexicon_cannot_say_is_left_out() -> None:
    source = TextSource([["cat"], ["a", "dog"], []], LEXICON, CALM)
    assert source.sentences == [["cat"]]
    with pytest.raises(ConfigError, match="no sentence"):
        TextSource([["dog"]], LEXICON, CALM)


def test_a_batch_fills_up_with_sentences_of_like_length(tokeniser: Tokeniser) -> None:
    sentences = [["a"]] * 50 + [["cat", "sat", "a", "cat"]] * 50
    batch = draw(TextSource(sentences, LEXICON, CALM), tokeniser, emissions=40)
    assert len(batch.steps) > 1
    assert batch.steps.max() - batch.steps.min() < 8
    inside = batch.phones[0, : 2 * int(batch.steps[0])]
    assert torch.allclose(inside.sum(dim=1), torch.ones(len(inside)))


def test_phones_are_swallowed_and_pauses_made_as_often_as_asked(tokeniser: Tokeniser) -> None:
    restless = TextConfig(skip_probability=0.5, pause_probability=1.0)
    batch = draw(TextSource([["cat", "sat"]] * 200, LEXICON, restless), tokeniser, emissions=3000)
    silences = (batch.phones.argmax(dim=2) == SILENCE).sum(dim=1)
    assert silences.min() >= 6  # at both ends and between
    assert len(set(batch.steps.tolist())) > 2


def test_dev_sentences_and_their_neighbours_are_never_learnt(tmp_path: Path) -> None:
    held = "a cat sat cat a cat sat"
    lines = [*(["cat sat"] * 300), held, *(["a cat"] * 300)]
    (tmp_path / "text.txt").write_text("\n".join(lines))
    source = TextSource.load(TextConfig(files=("text.txt",)), tmp_path, [held])
    assert len(source.sentences) == 200
