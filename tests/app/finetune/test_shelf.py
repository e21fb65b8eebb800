"""Recordings that grow by a sentence at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.finetune.gathering import gather
from streamasr.app.finetune.prompts import Prompt
from streamasr.app.finetune.shelf import Shelf
from streamasr.app.mixing import read_clip
from streamasr.errors import ConfigError

SENTENCES = [Prompt(f"Sentence {letter}, not long.") for letter in "abcde"]


def sound(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, round(seconds * 16_000)).astype(np.float32)


def test_a_later_session_goes_on_with_what_there_is(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "speech"
    first = Shelf(folder)
    assert (len(first), first.seconds) == (0, 0.0)
    first.add(SENTENCES[0], sound(2.0, 0))
    first.add(SENTENCES[1], sound(3.0, 1))
    later = Shelf(folder)
    assert (len(later), later.seconds) == (2, 5.0)
    assert [prompt.id in later for prompt in SENTENCES] == [True, True, False, False, False]


def test_what_lies_there_is_a_corpus_to_adapt_with(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for index, prompt in enumerate(SENTENCES):
        shelf.add(prompt, sound(13.0, index))
    speech = gather(tmp_path)
    assert [u.text for u in speech.utterances] == [prompt.text for prompt in SENTENCES]
    assert speech.duration_s == shelf.seconds == 65.0
    np.testing.assert_allclose(read_clip(speech.utterances[2].path), sound(13.0, 2), atol=1e-4)


def test_a_broken_manifest_is_told_by_its_line(tmp_path: Path) -> None:
    Shelf(tmp_path).add(SENTENCES[0], sound(1.0, 0))
    with (tmp_path / "manifest.tsv").open("a") as manifest:
        manifest.write("x\taudio/x.flac\tlong\tme\ttrain\tword\n")
    with pytest.raises(ConfigError, match=r"manifest.tsv:3: duration_s is 'long'"):
        Shelf(tmp_path)
