"""A trained word as the wake word: how often is it missed, and heard where nobody said it?

    python bench/spotting.py DATA MODEL --run RUN [--jobs N] [--save]

MODEL comes of `recipes/words/wake.toml`, RUN is its run, whose ``held-out.txt`` names the
recordings that it did not learn; what it missed is counted on those and, where it knows them, on
short/precise_community, which it never heard. False accepts are counted, as in bench/wake.py, on
LibriSpeech (test-clean and our dev readers) and on noises that were not in training, without the
gate; an utterance, or half a minute of it, counts once. *Confusables* are recordings of other
phrases. Scores are those of `core.commands.words.WordSpotter`, for many windows at a time, and
held against it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
from numpy.typing import NDArray

from bench.report import finish
from streamasr.app.manifest import Utterance, read_manifest
from streamasr.app.mixing import noise_files, read_clip
from streamasr.app.train.classify.examples import spell
from streamasr.core.commands.words import AT_ONCE, AVERAGED, STEP, WordSpotter
from streamasr.core.features import SAMPLE_RATE
from streamasr.edge import bundle
from streamasr.edge.words import WordClassifier, load_words

Floats = NDArray[np.float32]
LEARNT = "short/picovoice_wakewords"
UNHEARD = "short/precise_community"
BOOKS = (("speech/librispeech_test_clean_a", "all"), ("speech/librispeech_train_clean_5", "dev"))
NOISES = ("noise/misc_noise", "noise/precise_bg_noise")
PIECE = 30 * SAMPLE_RATE
THRESHOLDS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
CHECKED = 10
"""Clips whose scores are held against the spotter."""


def nearest(classifier: WordClassifier, samples: Floats) -> Floats:
    """The highest averaged probability of every label in a clip, float32 [labels]."""
    window = classifier.bundle.window
    ends = range(-(-window // STEP) * STEP, len(samples) + 1, STEP)
    if not ends:
        return np.zeros(len(classifier.bundle.labels), np.float32)
    rows = [np.zeros((AVERAGED - 1, len(classifier.bundle.labels)), np.float32)]
    for at in range(0, len(ends), AT_ONCE):
        some = np.stack([samples[end - window : end] for end in ends[at : at + AT_ONCE]])
        rows.append(np.exp(classifier(some)))
    heard = np.concatenate(rows)
    count = len(ends)
    return np.max(sum(heard[k : k + count] for k in range(AVERAGED)) / AVERAGED, axis=0)


def check(classifier: WordClassifier, clips: list[Floats]) -> None:
    """Hold the scores of some clips against the spotter."""
    labels = classifier.bundle.labels
    for samples in clips:
        spotter = WordSpotter(classifier, labels, window=classifier.bundle.window)
        best = 0.0
        for start in range(0, len(samples), STEP):
            spotter.push(samples[start : start + STEP])
            best = max(best, spotter.score)
        words = [labels.index(word) for word in classifier.bundle.words]
        assert abs(best - float(nearest(classifier, samples)[words].max())) < 1e-4


def padded(utterance: Utterance, pause: Floats) -> Floats:
    return np.concatenate([pause, read_clip(utterance.path), pause])


def quiet(data: Path) -> Iterator[Path]:
    """Everything in which no word is said."""
    for name, split in BOOKS:
        yield from (u.path for u in read_manifest(data / name) if split in ("all", u.split))
    for name in NOISES:
        yield from noise_files(data / name)


def listen(model: Path, files: list[Path]) -> tuple[list[float], int, float]:
    """The best score of any word in each half minute of files; their samples; seconds of work."""
    classifier, begun = WordClassifier(load_words(model)), time.process_time()
    labels = classifier.bundle.labels
    places = [labels.index(word) for word in classifier.bundle.words]
    found, samples = [], 0
    for file in files:
        clip = read_clip(file)
        samples += len(clip)
        for at in range(0, len(clip), PIECE):
            scores = nearest(classifier, clip[at : at + PIECE])
            found.append(float(scores[places].max()))
    return found, samples, time.process_time() - begun


def main(
    data: Path,
    model: str,
    run: Annotated[Path, typer.Option("--run")],
    jobs: int = 1,
    save: bool = False,
) -> None:
    classifier = WordClassifier(load_words(bundle.find(model)))
    labels, words = classifier.bundle.labels, classifier.bundle.words
    rng = np.random.default_rng(0)
    pause = (1e-3 * rng.standard_normal(classifier.bundle.window)).astype(np.float32)
    held = set((run / "held-out.txt").read_text().split())
    spoken = [u for u in read_manifest(data / LEARNT) if u.id in held]
    unheard = read_manifest(data / UNHEARD)
    check(classifier, [padded(u, pause) for u in [*spoken[:CHECKED], *unheard[:CHECKED]]])
    own: dict[str, list[float]] = {word: [] for word in words}
    fresh: dict[str, list[float]] = {word: [] for word in words}
    confusables: list[float] = []
    places = [labels.index(word) for word in words]
    for utterances, found in ((spoken, own), (unheard, fresh)):
        for utterance in utterances:
            scores, text = nearest(classifier, padded(utterance, pause)), spell(utterance.text)
            if text in own:
                found[text].append(float(scores[labels.index(text)]))
            elif not any(word in text.split() for word in words):
                confusables.append(float(scores[places].max()))
    print(f"{sum(map(len, own.values()))} held out, {sum(map(len, fresh.values()))} unheard")
    files = list(quiet(data))
    path = classifier.bundle.path.resolve()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(listen, [path] * jobs, (files[n::jobs] for n in range(jobs))))
    false = [score for found, _, _ in parts for score in found]
    seconds = sum(samples for _, samples, _ in parts) / SAMPLE_RATE
    hours, share = seconds / 3600, sum(worked for _, _, worked in parts) / seconds
    curve = [
        {
            "threshold": threshold,
            "false_per_hour": round(float(np.sum(np.array(false) >= threshold)) / hours, 2),
            "missed": {w: missed(scores, threshold) for w, scores in own.items()},
            "missed_unheard": {w: missed(s, threshold) for w, s in fresh.items() if s},
            "confusables": round(float(np.mean(np.array(confusables) >= threshold)), 4),
        }
        for threshold in THRESHOLDS
    ]
    for row in curve:
        print(row)
    print(f"{hours:.2f} h; without a gate, decoding included, {share:.4f} of a core")
    figures: dict[str, Any] = {
        "hours": round(hours, 2), "core_share": round(share, 4), "words": list(words),
        "network": classifier.bundle.info["model"],
        "recordings": {w: len(scores) for w, scores in own.items()},
        "unheard": {w: len(scores) for w, scores in fresh.items() if scores},
        "confusables": len(confusables), "curve": curve,
    }  # fmt: skip
    finish("spotting", figures, save=save)


def missed(scores: list[float], threshold: float) -> float:
    return round(float(np.mean(np.array(scores) < threshold)), 4)


if __name__ == "__main__":
    typer.run(main)
