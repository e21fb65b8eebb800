"""Align a corpus with a model's phone head: the frame targets of the next training run.

report = align_corpus(Path("models/en-small"), utterances, Path("align/corpus.jsonl.gz"))

Writes what `app.alignment` reads. Beside the words and phones of an utterance stands its
``score``, the mean log posterior of a frame: low where the transcript is not what was said.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamasr.app.forced import Sentence, spread
from streamasr.app.lm.spelling import cached_speller
from streamasr.app.manifest import Utterance
from streamasr.app.mixing import read_clip
from streamasr.app.text import is_speakable, normalise
from streamasr.core.features import HOP
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import load
from streamasr.edge.engines.torch import load_network
from streamasr.edge.lm.lexicon import Lexicon, read_cmudict
from streamasr.edge.lm.spelling import LetterReader
from streamasr.errors import UsageError

Floats = NDArray[np.float32]
TAIL_STEPS = 3
BATCH_S = 60.0
_SORTED_AT_ONCE = 512
VARIANTS = 2
"""Pronunciations guessed for a word that the dictionary lacks."""


@dataclass(slots=True)
class AlignReport:
    """What became of a corpus."""

    aligned: int = 0
    unspeakable: int = 0
    """Left out: digits or no words in the transcript, or a word that nothing can say."""
    too_short: int = 0
    """Left out: less audio than the words need."""
    guessed: int = 0
    """Words that the dictionary lacks, said by letter-to-sound rules."""
    scores: dict[str, float] = field(default_factory=dict)
    """Aligned utterance -> the mean log posterior of its frames."""


class Pronouncer:
    """A dictionary that guesses what it lacks; the rules are learnt at the first need."""

    def __init__(self, lexicon: Lexicon, reader: LetterReader | None = None) -> None:
        """``reader`` has the rules, where they are not to be learnt from the dictionary."""
        self._known = lexicon
        self._guesses: Lexicon = {}
        self._reader = reader

    def say(self, words: Sequence[str]) -> Lexicon:
        """Each word's pronunciations; none for one that no rule can say."""
        return {word: self._known.get(word) or self._guess(word) for word in words}

    @property
    def guessed(self) -> int:
        return len(self._guesses)

    def _guess(self, word: str) -> list[tuple[str, ...]]:
        if word not in self._guesses:
            self._reader = self._reader or cached_speller(self._known)
            self._guesses[word] = self._reader.say(word, variants=VARIANTS)
        return self._guesses[word]


def align_corpus(
    bundle: Path,
    utterances: Sequence[Utterance],
    out: Path,
    *,
    dictionary: Path | None = None,
    pronouncer: Pronouncer | None = None,
    device: str = "cpu",
    on_progress: Callable[[int], None] = lambda done: None,
) -> AlignReport:
    """Align with the bundle's phone head and write.

    ``pronouncer`` says words in place of the dictionary and the rules learnt from it.
    """
    loaded = load(bundle)
    config = loaded.config
    if not config.phones:
        raise UsageError(f"{bundle} has no phone head", remedy="choose another model")
    model = load_network(loaded).to(device)
    pronouncer = pronouncer or Pronouncer(read_cmudict(dictionary))
    report = AlignReport()
    delay = loaded.phone_delay_ms / 10.0  # frames
    per_emission = config.frames_per_step // config.outputs_per_step
    partial = out.with_name(out.name + ".partial")
    with gzip.open(partial, "wt", encoding="utf-8") as lines:
        for start in range(0, len(utterances), _SORTED_AT_ONCE):
            share = utterances[start : start + _SORTED_AT_ONCE]
            speakable = [u for u in share if is_speakable(u.text)]
            report.unspeakable += len(share) - len(speakable)
            entries: dict[str, dict[str, Any]] = {}
            for utterance, frames, heard in emissions(model, speakable):
                words = normalise(utterance.text).split()
                sentence = Sentence.build(words, pronouncer.say(words))
                scores = spread(heard, frames=frames, per_emission=per_emission, delay=delay)
                entry = _entry(utterance.id, sentence, scores) if sentence else None
                report.unspeakable += sentence is None
                report.too_short += sentence is not None and entry is None
                if entry is not None:
                    entries[utterance.id] = entry
                    report.scores[utterance.id] = entry["score"]
            report.aligned += len(entries)
            found = [entries[u.id] for u in share if u.id in entries]
            lines.writelines(json.dumps(e, separators=(",", ":")) + "\n" for e in found)
            on_progress(start + len(share))
    partial.rename(out)
    report.guessed = pronouncer.guessed
    return report


def emissions(
    model: AcousticModel, utterances: Sequence[Utterance]
) -> Iterator[tuple[Utterance, int, Floats]]:
    """Each utterance with its frames and log posteriors [emissions, phones], by length."""
    ordered = sorted(utterances, key=lambda u: u.duration_s)
    batch: list[Utterance] = []
    for utterance in ordered:
        if batch and utterance.duration_s * (len(batch) + 1) > BATCH_S:
            yield from _forward(model, batch)
            batch = []
        batch.append(utterance)
    if batch:
        yield from _forward(model, batch)


@torch.inference_mode()
def _forward(
    model: AcousticModel, utterances: Sequence[Utterance]
) -> Iterator[tuple[Utterance, int, Floats]]:
    clips = [read_clip(u.path) for u in utterances]
    step, outputs = model.config.step_samples, model.config.outputs_per_step
    steps = [-(-len(clip) // step) + TAIL_STEPS for clip in clips]
    samples = torch.zeros(len(clips), max(steps) * step)
    for row, clip in enumerate(clips):
        samples[row, : len(clip)] = torch.from_numpy(clip)
    phones = model.phones(samples.to(model.log_mel.mean.device))
    found = phones.cpu().numpy()
    for row, (utterance, clip) in enumerate(zip(utterances, clips, strict=True)):
        yield utterance, len(clip) // HOP, found[row, : steps[row] * outputs]


def _entry(name: str, sentence: Sentence, scores: Floats) -> dict[str, Any] | None:
    """What is written of an utterance; None where it has fewer frames than its phones need."""
    path = sentence.align(scores) if len(scores) else None
    if path is None:
        return None
    chosen = scores[np.arange(len(path)), np.array(sentence.phone)[path]]
    return {
        "id": name,
        "phones": sentence.phones(path),
        "words": sentence.words(path),
        "score": round(float(chosen.mean()), 3),
    }
