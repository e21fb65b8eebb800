"""Recordings of words with their labels, and how they are divided into parts.

Nothing that decides when training stops is measured as its result: what is held out comes
from the training recordings, and the test recordings are looked at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamasr.app.manifest import Utterance, select
from streamasr.app.train.classify.recipe import WordsConfig
from streamasr.core.commands.words import OTHER
from streamasr.errors import ConfigError

FEWEST = 2
"""Recordings of a word, or there is nothing to hold out."""


@dataclass(frozen=True, slots=True)
class Example:
    """One recording of a class, or the place of one: a window is cut from it."""

    utterance: Utterance | None
    """None where nobody speaks."""
    label: int
    is_whole: bool = True
    """Whether the recording is of one word; else a window is cut anywhere."""

    @property
    def speaker(self) -> str:
        return "" if self.utterance is None else self.utterance.speaker


@dataclass(frozen=True, slots=True)
class WordSet:
    """What to learn from and what to measure on."""

    labels: tuple[str, ...]
    train: list[Example]
    test: list[Example]


def spell(text: str) -> str:
    """A transcript as a label: lower case, single spaces."""
    return " ".join(text.lower().split())


def gather(config: WordsConfig, data: Path, *, silence: float, seed: int) -> WordSet:
    """Read the corpora; raises ConfigError where a word has too few recordings.

    ``silence`` is the share of examples without a word in which nobody speaks.
    """
    train = list(select(data, config.train, config.train_splits))
    test = list(select(data, config.test, config.test_splits))
    for part, found, splits in (
        ("train", train, config.train_splits),
        ("test", test, config.test_splits),
    ):
        corpora = getattr(config, part)
        if corpora and not found:
            raise ConfigError(
                f"no recording of {', '.join(corpora)} is in split {', '.join(splits)}",
                remedy=f"data.{part}_splits",
            )
    words = tuple(spell(word) for word in config.words)
    words = words or tuple(sorted({spell(u.text) for u in train} - {""}))
    counts = Counter(spell(u.text) for u in train)
    rare = [word for word in words if counts[word] < FEWEST]
    if rare:
        raise ConfigError(
            f"too few recordings to learn {', '.join(map(repr, rare[:5]))}",
            remedy=f"{FEWEST} at least, or name the words that matter in data.words",
        )
    if len(words) + bool(config.other_share) < 2:
        raise ConfigError("one class is nothing to tell apart", remedy="data.other_share = 1")
    labels = (*words, OTHER) if config.other_share else words
    known = {word: number for number, word in enumerate(words)}
    learnt, measured = _label(train, known, config), _label(test, known, config)
    if config.other_share:
        rng = np.random.default_rng(seed)
        learnt += _others(config, data, learnt, known, silence=silence, rng=rng)
    return WordSet(labels, learnt, measured)


def _label(
    utterances: Sequence[Utterance], known: dict[str, int], config: WordsConfig
) -> list[Example]:
    found = []
    for utterance in utterances:
        label = known.get(spell(utterance.text))
        if label is not None:
            found.append(Example(utterance, label))
        elif config.other_share:
            found.append(Example(utterance, len(known)))
    return found


def _others(
    config: WordsConfig,
    data: Path,
    learnt: Sequence[Example],
    known: dict[str, int],
    *,
    silence: float,
    rng: np.random.Generator,
) -> list[Example]:
    """Examples without a word: other speech, and sounds in which nobody speaks."""
    count = round(config.other_share * sum(example.label < len(known) for example in learnt))
    quiet = round(silence * count) if config.others else count
    found = [Example(None, len(known)) for _ in range(quiet)]
    speech = list(select(data, config.others, config.train_splits)) if config.others else []
    if config.others and not speech:
        raise ConfigError(f"no recording of {', '.join(config.others)} is in a training split")
    clean = [u for u in speech if not _says(u.text, known)]
    if speech and not clean:
        raise ConfigError("every recording of data.others says one of the words")
    for _ in range(count - quiet):
        utterance = clean[int(rng.integers(len(clean)))]
        found.append(Example(utterance, len(known), is_whole=False))
    return found


def _says(text: str, words: dict[str, int]) -> bool:
    spaced = f" {spell(text)} "
    return any(f" {word} " in spaced for word in words)


def hold_out(
    examples: Sequence[Example], share: float, *, by_speaker: bool, seed: int
) -> tuple[list[int], list[int]]:
    """Indices to learn from and to hold out; see `divide`."""
    parts = divide(examples, max(2, round(1.0 / share)), by_speaker=by_speaker, seed=seed)
    kept = sorted(index for part in parts[1:] for index in part)
    return kept, sorted(parts[0])


def divide(
    examples: Sequence[Example], parts: int, *, by_speaker: bool, seed: int
) -> list[list[int]]:
    """Divide into parts of like size, each with its share of every class.

    By speaker, all of one speaker's recordings lie in one part, as far as there are more
    speakers than parts; else every class is dealt out at random. Raises ConfigError where there
    are fewer examples than parts.
    """
    if len(examples) < parts:
        raise ConfigError(f"{len(examples)} recordings cannot make {parts} parts")
    rng = np.random.default_rng(seed)
    speakers = {example.speaker for example in examples if example.utterance is not None}
    found: list[list[int]] = [[] for _ in range(parts)]
    if by_speaker and len(speakers) >= 2 * parts:
        owned: dict[str, list[int]] = {}
        for index, example in enumerate(examples):
            # where nobody speaks there is nobody to keep together
            owner = example.speaker if example.utterance is not None else f"#{index}"
            owned.setdefault(owner, []).append(index)
        groups = list(owned.values())
        rng.shuffle(groups)
        for group in sorted(groups, key=len, reverse=True):
            min(found, key=len).extend(group)
        return found
    order = sorted(rng.permutation(len(examples)), key=lambda index: examples[index].label)
    for place, index in enumerate(order):
        found[place % parts].append(int(index))
    return found
