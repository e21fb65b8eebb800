"""Windows of sound as features, computed once and kept: an epoch only chooses among them.

A window is longer than what the network looks at by the shift on either side, so that words
can be moved without computing anything anew.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from streamasr.app.train.augment import Augmenter
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.classify.cutting import cut, loudest
from streamasr.app.train.classify.examples import Example
from streamasr.app.train.classify.networks import Front
from streamasr.app.train.classify.recipe import WordRecipe

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Features = NDArray[np.float16]

AT_ONCE = 64


class WindowSource:
    """Cuts the windows of examples out of their recordings, as they are or augmented."""

    def __init__(self, recipe: WordRecipe, augmenter: Augmenter, folder: Path) -> None:
        self._recipe = recipe
        self._augmenter = augmenter
        self._folder = folder
        self._front = Front(recipe.window).eval()

    def plain(self, examples: Sequence[Example]) -> Features:
        """float16 [examples, frames, size]: as they are, the word in the middle."""
        frames = self._recipe.window.frames
        found: Features = self._keep(examples, frames, copies=0)[0]
        return found

    def augmented(self, examples: Sequence[Example]) -> Features:
        """float16 [copies, examples, frames + 2 · shift, size]."""
        window = self._recipe.window
        frames = window.frames + 2 * window.shift_frames
        return self._keep(examples, frames, copies=self._recipe.train.copies)

    def _keep(self, examples: Sequence[Example], frames: int, *, copies: int) -> Features:
        recipe = self._recipe
        told = [repr((recipe.window, frames, copies, recipe.train.seed))]
        told += [repr(recipe.augment)] if copies else []
        told += [f"{e.utterance and e.utterance.path} {e.label} {e.is_whole}" for e in examples]
        key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
        file = self._folder / f"windows-{key}.npy"
        if not file.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            log.info("computing %d windows, once", len(examples) * max(1, copies))
            partial = file.with_suffix(".partial")
            with partial.open("wb") as out:
                np.save(out, self._compute(examples, frames, copies))
            partial.rename(file)
        kept: Features = np.load(file, mmap_mode="r")
        return kept

    def _compute(self, examples: Sequence[Example], frames: int, copies: int) -> Features:
        window = self._recipe.window
        utterances = list({e.utterance.path: e.utterance for e in examples if e.utterance}.values())
        audio = AudioCache(self._folder, utterances)
        index = {utterance.path: number for number, utterance in enumerate(utterances)}
        found = np.empty((max(1, copies), len(examples), frames, window.size), np.float16)
        count = window.samples(frames)
        for at in range(0, len(examples), AT_ONCE):
            some = examples[at : at + AT_ONCE]
            whole = [
                None
                if example.utterance is None
                else audio[index[example.utterance.path]].astype(np.float32) / np.float32(32768.0)
                for example in some
            ]
            for copy in range(len(found)):
                cuts = np.empty((len(some), count), np.float32)
                for row, (example, samples) in enumerate(zip(some, whole, strict=True)):
                    rng = np.random.default_rng((self._recipe.train.seed, copy, at + row, copies))
                    cuts[row] = self._window(example, samples, count, rng, bool(copies))
                with torch.inference_mode():
                    features = self._front(torch.from_numpy(cuts))
                found[copy, at : at + len(some)] = features.numpy().astype(np.float16)
        return found

    def _window(
        self,
        example: Example,
        samples: Floats | None,
        count: int,
        rng: np.random.Generator,
        is_augmented: bool,
    ) -> Floats:
        if samples is None:
            return self._augmenter.silence(count, rng)
        speed = self._recipe.augment.speed if is_augmented else 0.0
        longer = round(count * (1.0 + speed)) + 1  # playing faster leaves fewer
        if example.is_whole:
            seen = self._recipe.window.samples(self._recipe.window.frames)
            start = loudest(samples, seen) - (longer - seen) // 2
        else:
            start = int(rng.integers(max(1, len(samples) - longer + 1)))
        window = cut(samples, start, longer)
        if is_augmented:
            window, _ = self._augmenter(window, rng)
        return cut(window, (len(window) - count) // 2, count)
