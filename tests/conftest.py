"""Fixtures that several folders share: a tiny bundle and a tiny corpus."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tomli_w

from streamasr.core.features import SAMPLE_RATE
from streamasr.core.units import BLANK_SYMBOL, Units
from streamasr.edge.bundle import FACTS_FILE
from tests.words import run_folder, word_bundle, word_cache, word_data

__all__ = ["run_folder", "word_bundle", "word_cache", "word_data"]
"""Fixtures that live elsewhere."""

TINY_UNITS = Units((BLANK_SYMBOL, "▁", "a", "b", "▁c", "d"))
WORD_HZ = {"low": 300.0, "mid": 900.0, "high": 2700.0}
DATA = Path(__file__).parent / "data"
CLIP_TEXTS = {
    "163-122947-0014.flac": "for they get the better even of their blunders",
    "1970-28415-0030.flac": "these people will also be surprised they will say lord",
    "5789-70653-0013.flac": "and what time it was she had asked what the time was",
}
MORE_SENTENCES = (
    "they had better get there in time",
    "will the people say what it was",
    "even the lord was surprised",
    "she asked for their time and their people",
)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with random weights: enough for every law that does not need right words."""
    import torch

    from streamasr.app.train.export import write_bundle
    from streamasr.core.model import ModelConfig
    from streamasr.core.network import AcousticModel

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = ModelConfig(
        mels=40,
        conv_channels=8,
        width=32,
        layers=1,
        units=len(TINY_UNITS),
        phones=5,
        speller_layers=1,
        speller_width=24,
        writer_width=16,
    )
    model = AcousticModel(config).eval()
    model.log_mel.mean.fill_(-8.0)
    model.log_mel.deviation.fill_(4.0)
    with torch.no_grad():  # spread the outputs so that the best unit changes often
        model.phone_head.weight.mul_(8.0)
        model.speller.head.weight.mul_(8.0)
        model.writer.head.weight.mul_(8.0)
    speech = torch.from_numpy(noise(config.step_samples * 60, seed=1)[None])
    out = tmp_path_factory.mktemp("models") / "tiny"
    write_bundle(out, model, TINY_UNITS, speech)
    (out / "CARD.md").write_text("A model of random weights, for tests.\n")
    return out


@pytest.fixture
def graph_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped acoustic model with a toy language model, and a cache of its own."""
    from tests.graphs import add_language_model

    out = tmp_path / "with-lm"
    out.mkdir()
    for name in ("bundle.toml", "units.txt", "model.onnx", "weights.safetensors", "pieces.model"):
        (out / name).symlink_to(DATA.parents[1] / "models" / "en-small" / name)
    facts = (out / "bundle.toml").read_text()
    (out / "bundle.toml").unlink()
    (out / "bundle.toml").write_text(facts)
    add_language_model(out)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))
    return out


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small language model that holds what the bundled clips say, and more."""
    from streamasr.app.lm.build import LanguageOptions, learn_language

    out = tmp_path_factory.mktemp("language")
    text = out / "text.txt"
    text.write_text("\n".join([*CLIP_TEXTS.values(), *MORE_SENTENCES]) + "\n")
    learn_language([text], options=LanguageOptions(guess=False)).write(out / "lm", 0.0)
    return out / "lm"


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache stays untouched, and the shipped graph is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the tests' own in place of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def plain_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model without its language model."""
    out = tmp_path_factory.mktemp("models") / "plain"
    shutil.copytree(
        DATA.parents[1] / "models" / "en-small", out, ignore=shutil.ignore_patterns("lm")
    )
    facts = out / FACTS_FILE
    info = tomllib.loads(facts.read_text())
    del info["graph"]
    info["checksums"] = {n: c for n, c in info["checksums"].items() if not n.startswith("lm/")}
    facts.write_text(tomli_w.dumps(info))
    return out


@pytest.fixture(scope="module")
def spoken_bundle(
    language: Path, own_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The shipped acoustic model with that language model."""
    from streamasr.app.lm.attach import attach, speech

    out = tmp_path_factory.mktemp("models") / "spoken"
    shutil.copytree(DATA.parents[1] / "models" / "en-small", out)
    attach(out, language, speech([DATA / name for name in CLIP_TEXTS]))
    return out


def noise(samples: int, *, seed: int) -> np.ndarray:
    """Noise whose level wanders: float32 [samples] within -1..1."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0.001, 0.3, samples // 800 + 1), 800)[:samples]
    return np.clip(rng.standard_normal(samples) * level, -1, 1).astype(np.float32)


def tone_words(words: list[str], rng: np.random.Generator) -> np.ndarray:
    """Say words as tones of 0.3 s with silence between: float32 at 16 kHz."""
    time = np.arange(round(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    pieces = [np.zeros(round(0.2 * SAMPLE_RATE))]
    for word in words:
        hz = WORD_HZ[word] * rng.uniform(0.95, 1.05)
        pieces += [0.3 * np.sin(2 * np.pi * hz * time), np.zeros(round(0.1 * SAMPLE_RATE))]
    audio = np.concatenate(pieces)
    return (audio + 1e-3 * rng.standard_normal(len(audio))).astype(np.float32)


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose corpus ``tones`` says three words as tones; train and dev."""
    data = tmp_path_factory.mktemp("data")
    audio = data / "tones" / "audio"
    audio.mkdir(parents=True)
    rng = np.random.default_rng(5)
    rows = ["id\tpath\tduration_s\tspeaker\tsplit\ttext"]
    for index in range(48):
        words = rng.choice(list(WORD_HZ), size=int(rng.integers(1, 5))).tolist()
        samples = tone_words(words, rng)
        soundfile.write(audio / f"u{index}.wav", samples, SAMPLE_RATE)
        split = "dev" if index >= 40 else "train"
        duration = len(samples) / SAMPLE_RATE
        text = " ".join(words).capitalize() + "."
        rows.append(f"u{index}\taudio/u{index}.wav\t{duration:.3f}\ts{index % 4}\t{split}\t{text}")
    (data / "tones" / "manifest.tsv").write_text("\n".join(rows) + "\n")
    return data
