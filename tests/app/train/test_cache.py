from pathlib import Path

import numpy as np

from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import read_clip
from streamasr.app.train.cache import AudioCache


def test_audio_comes_back_as_it_was_and_is_decoded_once(tone_corpus: Path, tmp_path: Path) -> None:
    utterances = read_manifest(tone_corpus / "tones")[:5]
    cache = AudioCache(tmp_path, utterances)
    written = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    again = AudioCache(tmp_path, utterances)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == written
    assert len(again) == 5
    for index, utterance in enumerate(utterances):
        expected = read_clip(utterance.path)
        assert cache.samples(index) == len(expected)
        np.testing.assert_allclose(again[index] / 32767.0, expected, atol=1e-4)


def test_other_utterances_make_another_cache(tone_corpus: Path, tmp_path: Path) -> None:
    utterances = read_manifest(tone_corpus / "tones")
    AudioCache(tmp_path, utterances[:2])
    AudioCache(tmp_path, utterances[2:4])
    assert len(list(tmp_path.glob("*.i16"))) == 2
