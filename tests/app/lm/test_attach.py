from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.lm.attach import LICENCE_FILE, attach, speech
from streamasr.edge import bundle
from streamasr.errors import BundleError, ConfigError
from tests.conftest import CLIP_TEXTS, DATA


def test_a_bundle_with_a_language_model_says_all_that_the_decoder_needs(
    spoken_bundle: Path,
) -> None:
    loaded = bundle.load(spoken_bundle)
    graph = loaded.info["graph"]
    assert graph["delay"] == loaded.phone_delay_ms / 40
    assert np.exp(graph["log_priors"]).sum() == pytest.approx(1.0, abs=0.01)
    assert np.argmax(graph["log_priors"]) == 0  # silence is the most frequent
    assert {"acoustic_scale", "unit_weight"} <= set(graph["search"])
    assert "Carnegie Mellon University" in (spoken_bundle / LICENCE_FILE).read_text()


def test_a_model_without_the_phones_is_refused(tiny_bundle: Path, language: Path) -> None:
    with pytest.raises(BundleError, match="40 phones"):
        attach(tiny_bundle, language, [])


def test_what_is_missing_is_named(tmp_path: Path, language: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(DATA.parents[1] / "models" / "en-small", copy)
    before = bundle.load(copy).info
    with pytest.raises(ConfigError, match="need speech"):
        attach(copy, language, [])
    with pytest.raises(ConfigError, match=r"no lm\.arpa\.xz"):
        attach(copy, tmp_path, speech([DATA / name for name in CLIP_TEXTS]))
    assert bundle.load(copy).info == before


def test_speech_of_a_corpus_is_its_training_split(tone_corpus: Path) -> None:
    assert len(list(speech([tone_corpus / "tones"]))) == 40
