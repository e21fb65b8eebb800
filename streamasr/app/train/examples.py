"""From utterances to batches: cutting at pauses, bucketing by length, collating.

An epoch is planned from (seed, epoch) alone, so a run that was killed resumes in the
middle of an epoch with exactly the batches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from streamasr.app.alignment import NO_TARGET, Alignment, phone_targets
from streamasr.app.manifest import Utterance
from streamasr.app.text import normalise
from streamasr.app.train.augment import Augmenter
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.config import TrainConfig
from streamasr.app.train.inventory import Tokeniser
from streamasr.app.train.mmi import Chain, Chains, join_chains, make_chain
from streamasr.core.features import HOP
from streamasr.core.model import ModelConfig

LEAD_FRAMES = 30
"""Silence kept before a cut example: the gate's pre-roll."""
TRAIL_FRAMES = 40
"""Silence kept after it: the gate's hang-over."""


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch of one utterance: samples [start, end) and the words said in it."""

    utterance: int
    start: int
    end: int
    text: str


class Timing(TypedDict):
    emissions: int
    frames_per_emission: int
    delay: float


class Batch(NamedTuple):
    samples: Tensor  # float32 [batch, steps · step_samples]
    steps: Tensor  # int64 [batch], steps that hold audio or tail
    targets: Tensor  # int64, all examples' units one after another
    target_lengths: Tensor  # int64 [batch]
    phones: Tensor  # int64 [batch, emissions], NO_TARGET where nothing is known
    chains: Chains
    """Phone sequences, where they are known."""
    texts: list[str]

    def to(self, device: torch.device) -> Batch:
        tensors = [x.to(device) if isinstance(x, Tensor) else x for x in self]
        moved = Batch(*tensors)  # type: ignore[arg-type]
        return moved._replace(chains=Chains(*(x.to(device) for x in self.chains)))


class Corpus:
    """Utterances with their audio, alignments and words."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        audio: AudioCache,
        alignments: dict[tuple[str, str], Alignment],
    ) -> None:
        self.audio = audio
        self.texts = [normalise(u.text) for u in utterances]
        self.alignments: list[Alignment | None] = []
        for utterance, text in zip(utterances, self.texts, strict=True):
            found = alignments.get((utterance.corpus, utterance.id))
            self.alignments.append(found if found and found.agrees_with(text) else None)

    def __len__(self) -> int:
        return len(self.texts)

    def whole(self, index: int) -> Example:
        return Example(index, 0, self.audio.samples(index), self.texts[index])

    def cut(self, index: int, config: TrainConfig, rng: np.random.Generator) -> list[Example]:
        """Cut an utterance at some of its pauses, as the gate would."""
        alignment = self.alignments[index]
        if alignment is None:
            return [self.whole(index)]
        pauses = alignment.pauses(round(config.pause_cut_s * 100))
        cuts = [i + 1 for i in pauses if rng.random() < config.pause_cut_probability]
        words, total = alignment.words, self.audio.samples(index)
        examples = []
        for first, last in zip([0, *cuts], [*cuts, len(words)], strict=True):
            floor = words[first - 1].end * HOP if first else 0
            ceiling = words[last].start * HOP if last < len(words) else total
            start = max(floor, (words[first].start - LEAD_FRAMES) * HOP) if first else 0
            end = min(ceiling, (words[last - 1].end + TRAIL_FRAMES) * HOP)
            end = total if last == len(words) else end
            text = " ".join(w.text for w in words[first:last])
            examples.append(Example(index, start, end, text))
        return examples


def plan_epoch(corpus: Corpus, config: TrainConfig, epoch: int) -> list[list[Example]]:
    """Batches of one epoch: like lengths together, the order of batches shuffled."""
    rng = np.random.default_rng((config.seed, epoch))
    examples = [e for i in range(len(corpus)) for e in corpus.cut(i, config, rng)]
    batches = list(bucket(examples, config.batch_s, rng))
    rng.shuffle(batches)
    return batches


def bucket(
    examples: Sequence[Example], batch_s: float, rng: np.random.Generator
) -> Iterator[list[Example]]:
    """Group by length with some noise, so that neighbours differ from epoch to epoch."""
    limit = batch_s * 16_000
    noisy = [(e.end - e.start) * rng.uniform(0.9, 1.1) for e in examples]
    batch: list[Example] = []
    longest = 0
    for index in np.argsort(noisy):
        example = examples[int(index)]
        longest = max(longest, example.end - example.start)
        if batch and longest * (len(batch) + 1) > limit:
            yield batch
            batch, longest = [], example.end - example.start
        batch.append(example)
    if batch:
        yield batch


class EpochDataset(Dataset[Batch]):
    """Makes the batches of a plan, augmented or as they are."""

    def __init__(
        self,
        corpus: Corpus,
        batches: list[list[Example]],
        *,
        model: ModelConfig,
        train: TrainConfig,
        tokeniser: Tokeniser,
        tail_steps: int,
        augmenter: Augmenter | None = None,
        epoch: int = 0,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """``numbers`` are the batches to make, all by default."""
        self._corpus = corpus
        self._batches = batches
        self._model = model
        self._train = train
        self._tokeniser = tokeniser
        self._tail_steps = tail_steps
        self._augmenter = augmenter
        self._epoch = epoch
        self._numbers = range(len(batches)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Batch:
        number = self._numbers[index]
        rng = np.random.default_rng((self._train.seed, self._epoch, number))
        return self._collate([self._make(e, rng) for e in self._batches[number]])

    def _make(
        self, example: Example, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], str, NDArray[np.int8] | None, float]:
        augmenter = self._augmenter
        if augmenter is not None and rng.random() < augmenter.config.silence_probability:
            count = example.end - example.start
            return augmenter.silence(count, rng), "", np.zeros(count // HOP, np.int8), 1.0
        raw = self._corpus.audio[example.utterance][example.start : example.end]
        samples, speed = raw.astype(np.float32) / np.float32(32768.0), 1.0
        if augmenter is not None:
            samples, speed = augmenter(samples, rng)
        alignment = self._corpus.alignments[example.utterance]
        phones = None
        if alignment is not None:
            phones = alignment.phones[example.start // HOP : -(-example.end // HOP)]
            positions = np.arange(int(len(phones) / speed)) * speed
            phones = phones[np.minimum(positions.astype(np.int64), len(phones) - 1)]
        return samples, example.text, phones, speed

    def _collate(
        self, made: list[tuple[NDArray[np.float32], str, NDArray[np.int8] | None, float]]
    ) -> Batch:
        model = self._model
        steps = [-(-len(s) // model.step_samples) + self._tail_steps for s, _, _, _ in made]
        samples = np.zeros((len(made), max(steps) * model.step_samples), np.float32)
        emissions = max(steps) * model.outputs_per_step
        phones = np.full((len(made), emissions), NO_TARGET, np.int64)
        targets: list[int] = []
        target_lengths = []
        chains: list[Chain | None] = []
        for row, (audio, text, frames, _) in enumerate(made):
            samples[row, : len(audio)] = audio
            ids = self._tokeniser.encode(text)
            targets += ids
            target_lengths.append(len(ids))
            chains.append(None)
            if frames is not None:
                count = steps[row] * model.outputs_per_step
                timing = Timing(
                    emissions=count,
                    frames_per_emission=model.frames_per_step // model.outputs_per_step,
                    delay=self._train.phone_delay_ms / 10.0,
                )
                phones[row, :count] = phone_targets(frames, **timing)
                chains[-1] = make_chain(frames, **timing)
        return Batch(
            samples=torch.from_numpy(samples),
            steps=torch.tensor(steps),
            targets=torch.tensor(targets),
            target_lengths=torch.tensor(target_lengths),
            phones=torch.from_numpy(phones),
            chains=join_chains(chains),
            texts=[text for _, text, _, _ in made],
        )
