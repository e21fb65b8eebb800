from pathlib import Path

import numpy as np

from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import read_clip
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.examples import Corpus
from streamasr.app.train.statistics import measure_features
from streamasr.core.features import log_mel


def test_statistics_normalise_what_they_were_measured_on(tone_corpus: Path, tmp_path: Path) -> None:
    utterances = read_manifest(tone_corpus / "tones")[:6]
    corpus = Corpus(utterances, AudioCache(tmp_path, utterances), {})
    mean, deviation = measure_features(corpus, 40, seed=0)
    clips = [read_clip(u.path) for u in utterances]
    frames = np.concatenate([log_mel(c[: len(c) // 160 * 160], 40) for c in clips])
    normal = (frames - mean.numpy()) / deviation.numpy()
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=0.05)
