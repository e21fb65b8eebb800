from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.mixing import read_clip
from streamasr.edge import bundle
from streamasr.edge.words import WordClassifier, load_words
from streamasr.errors import BundleError
from tests.conftest import DATA


def test_words_are_found_in_a_stream_of_real_recordings(word_bundle: Path) -> None:
    spotter = WordClassifier(load_words(word_bundle)).spotter(threshold=0.5)
    rng = np.random.default_rng(0)
    pause = (0.001 * rng.standard_normal(24_000)).astype(np.float32)
    parts, expected = [pause], []
    for word, number in (("right", 1), ("five", 5), ("zero", 5), ("right", 0)):
        clip = sorted((DATA / "words").glob(f"{word}_*.opus"))[number]
        expected.append((word, sum(map(len, parts))))
        parts += [read_clip(clip), pause]
    stream = np.concatenate(parts)
    found = []
    for start in range(0, len(stream), 1600):
        found += spotter.push(stream[start : start + 1600])
    assert [spotted.word for spotted in found] == [word for word, _ in expected]
    for spotted, (_, begun) in zip(found, expected, strict=True):
        assert begun < spotted.at < begun + 24_000  # not before it, and at most 0.5 s after


def test_read_speech_is_none_of_the_words(word_bundle: Path) -> None:
    spotter = WordClassifier(load_words(word_bundle)).spotter()
    assert spotter.push(read_clip(DATA / "1970-28415-0030.flac")) == []


def test_torch_is_not_needed(word_bundle: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; import numpy as np\n"
        "from streamasr.edge.words import WordClassifier, load_words\n"
        "c = WordClassifier(load_words(Path(sys.argv[1])))\n"
        "print(np.exp(c(np.zeros((2, c.bundle.window), np.float32))).sum())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(word_bundle)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(2.0, abs=1e-4)


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / bundle.FACTS_FILE
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (edit("format = 1", "format = 9"), "has format 9 .this program reads format 1"),
        (edit("window = 16240", ""), "'window' is missing or no value"),
        (edit("sample_rate = 16000", "sample_rate = 8000"), "was made for 8000 Hz"),
        (lambda folder: (folder / "model.onnx").write_bytes(b""), "model.onnx is not the file"),
        (lambda folder: (folder / "model.onnx").unlink(), "cannot read model.onnx"),
        (lambda folder: (folder / "bundle.toml").unlink(), "is no model"),
        (edit("window = 16240", "window = 16000"), r"goes from \[16240\] to \[4\], .* says 16000"),
    ],
)
def test_a_damaged_bundle_is_refused(
    damage: Callable[[Path], None], complaint: str, word_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(word_bundle, folder)
    damage(folder)
    with pytest.raises(BundleError, match=complaint):
        WordClassifier(load_words(folder))


def test_a_recogniser_refuses_it_by_name(word_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"is a word classifier and writes no text .*\[wake\]"):
        bundle.load(word_bundle)
