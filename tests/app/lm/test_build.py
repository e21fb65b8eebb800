from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamasr.app.lm.build import (
    ARPA_FILE,
    LEXICON_FILE,
    LanguageOptions,
    LanguageReport,
    Part,
    learn_language,
)
from streamasr.edge.lm.arpa import read_arpa
from streamasr.edge.lm.lexicon import read_lexicon
from streamasr.errors import ConfigError

DICTIONARY = """\
turn T ER N
on AA N
off AO F
the DH AH
light L AY T
lamp L AE M P
"""
TEXT = """\
Turn on the light.
Turn off the lamp!
Turn the light off, turn the lamp on.
Turn on the limp lamp.
Do not learn that the night is young and warm.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "words.dict").write_text(DICTIONARY)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def build(
    folder: Path, *texts: str, threshold: float = 2e-7, guess: bool = False, **how: Any
) -> LanguageReport:
    """Learn from texts of a folder, and write what comes of it into lm."""
    options = LanguageOptions(guess=guess, **how.pop("options", {}))
    files = [folder / text for text in texts or ("text.txt",)]
    language = learn_language(files, dictionary=folder / "words.dict", options=options, **how)
    return language.write(folder / "lm", threshold)


def test_a_folder_comes_out(folder: Path) -> None:
    report = build(folder, threshold=0.0)
    assert (report.sentences, report.words, report.guessed) == (5, 6, 0)
    assert read_arpa(folder / "lm" / ARPA_FILE).sizes == report.sizes
    assert read_lexicon(folder / "lm" / LEXICON_FILE)["lamp"] == [("L", "AE", "M", "P")]


def test_words_of_no_dictionary_are_guessed(folder: Path) -> None:
    report = build(folder, guess=True)
    assert report.guessed >= 1
    assert "limp" in read_lexicon(folder / "lm" / LEXICON_FILE)


def test_held_out_sentences_are_not_learnt_but_measured(folder: Path) -> None:
    (folder / "secret.txt").write_text("the lamp on the light turn off the on\n")
    secret = ["The lamp on the light, turn off the on!"]
    report = build(folder, "text.txt", "secret.txt", held_out=secret)
    assert (report.sentences, report.left_out) == (5, 1)
    assert report.held_out_perplexity is not None
    assert report.held_out_perplexity > 1
    assert report.held_out_unknown == 0


def test_other_texts_are_mixed_in_by_weight(folder: Path) -> None:
    (folder / "other.txt").write_text("lamp lamp lamp\n" * 5)
    lamps = []
    for weight in (0.1, 0.9):
        mixed = [Part((folder / "other.txt",), weight)]
        build(folder, threshold=1e-9, mixed=mixed, options={"least": 2, "joined": 0.5})
        model = read_arpa(folder / "lm" / ARPA_FILE)
        lamps.append(float(model.sentence_scores(["lamp", "lamp", "lamp"]).sum()))
    assert lamps[0] < lamps[1]


def test_senseless_options_are_refused(folder: Path) -> None:
    for senseless in ({"words": 0}, {"least": 0}, {"joined": 1.5}):
        with pytest.raises(ConfigError):
            LanguageOptions(**senseless)
    with pytest.raises(ConfigError, match="weight"):
        Part((folder / "text.txt",), 1.0)
    parts = [Part((folder / "text.txt",), 0.5)] * 2
    with pytest.raises(ConfigError, match="weights"):
        learn_language([folder / "text.txt"], mixed=parts)


def test_generated_sentences_teach_spelling(folder: Path) -> None:
    dictionary = folder / "words.dict"
    letters = "l EH L\na EY\nm EH M\np P IY\n"
    dictionary.write_text(DICTIONARY + letters)
    report = build(folder, threshold=0.0, options={"spelled": 300})
    model = read_arpa(folder / "lm" / ARPA_FILE)
    spelt = model.sentence_scores(["l", "a", "m", "p"])
    assert {"l", "a", "m", "p"} < set(model.words)
    assert spelt[2:].min() > model.sentence_scores(["l", "the", "m", "turn"])[1:].max()
    assert report.sentences == 5
