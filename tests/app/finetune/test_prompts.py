"""The sentences to read: they can be read in one way, and hold all sounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from streamasr.app.finetune.prompts import read_prompts
from streamasr.app.text import normalise
from streamasr.core.phones import PHONES
from streamasr.edge.bundle import LEXICON_FILE, find
from streamasr.edge.lm.lexicon import WordFinder
from streamasr.errors import ConfigError


def test_our_list_lasts_ten_minutes_and_has_every_sound_a_dozen_times() -> None:
    words = [normalise(prompt.text).split() for prompt in read_prompts()]
    total = [word for sentence in words for word in sentence]
    assert 1450 <= len(total) <= 1700, "150 words a minute"
    assert max(map(len, words)) <= 16, "a sentence fits on a line"
    said = WordFinder(find() / LEXICON_FILE).find(set(total))
    assert set(said) == set(total), "the aligner knows every word"
    phones = Counter(phone for word in total for phone in said[word][0])
    assert min(phones[phone] for phone in PHONES if phone != "SIL") >= 12


def test_a_sentence_has_a_name_of_its_own_wherever_it_stands(tmp_path: Path) -> None:
    names = [prompt.id for prompt in read_prompts()]
    assert len(set(names)) == len(names)
    file = tmp_path / "turned.txt"
    file.write_text("\n".join(reversed([prompt.text for prompt in read_prompts()])) + "\n\n")
    assert [prompt.id for prompt in read_prompts(file)] == names[::-1]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"one two\n3 apples\n", ":2: '3 apples' has many readings"),
        (b"one\n...\n", ":2: '...' has many readings, or no words"),
        (b"\n \n", "has no sentences"),
        (b"\xff\xfe\n", "cannot read prompts"),
    ],
)
def test_what_cannot_be_read_aloud_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=fault.replace("...", r"\.\.\.")):
        read_prompts(file)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read prompts from .*none.txt"):
        read_prompts(tmp_path / "none.txt")
