"""Plans that repeat, batches that fit, cuts at pauses only."""

from pathlib import Path

import numpy as np
import pytest

from streamasr.app.alignment import NO_TARGET, Alignment, Span
from streamasr.app.manifest import Utterance
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.config import TrainConfig
from streamasr.app.train.examples import Corpus, EpochDataset, Example, bucket, plan_epoch
from streamasr.app.train.inventory import Tokeniser, learn_pieces
from streamasr.core.model import ModelConfig

MODEL = ModelConfig(mels=40, width=16, layers=1, phones=40)
WORDS = ("one", "two", "three", "four")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Twelve utterances of four words each: a long pause after the second."""
    import soundfile

    utterances, alignments = [], {}
    spans = [Span("one", 20, 50), Span("two", 50, 80), Span("three", 160, 190), Span("four", 195, 220)]  # fmt: skip  # noqa: E501
    for index in range(12):
        samples = 160 * (240 + 10 * index)
        path = tmp_path / f"u{index}.wav"
        soundfile.write(path, np.full(samples, index / 100, np.float32), 16_000)
        utterances.append(Utterance(f"u{index}", path, samples / 16e3, "s", "train", " ".join(WORDS), "c"))  # fmt: skip  # noqa: E501
        if index:
            phones = np.arange(240, dtype=np.int64) % 40
            alignments["c", f"u{index}"] = Alignment(tuple(spans), phones.astype(np.int8))
    return Corpus(utterances, AudioCache(tmp_path / "cache", utterances), alignments)


@pytest.fixture
def tokeniser() -> Tokeniser:
    return Tokeniser(learn_pieces([" ".join(WORDS)] * 10, 20))


def dataset(corpus: Corpus, tokeniser: Tokeniser, plan: list[list[Example]], **extra: int) -> EpochDataset:  # fmt: skip  # noqa: E501
    return EpochDataset(
        corpus, plan, model=MODEL, train=TrainConfig(), tokeniser=tokeniser, tail_steps=2, **extra
    )


def test_cuts_fall_into_pauses_and_lose_no_word(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    first, second = corpus.cut(3, TrainConfig(pause_cut_probability=1.0), rng)
    assert (first.text, second.text) == ("one two", "three four")
    assert first.start == 0
    assert first.end == (80 + 40) * 160
    assert second.start == (160 - 30) * 160
    assert second.end == corpus.audio.samples(3)


def test_what_has_no_alignment_stays_whole(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    config = TrainConfig(pause_cut_probability=1.0)
    assert corpus.cut(0, config, rng) == [corpus.whole(0)]


def test_a_plan_repeats_and_differs_between_epochs(corpus: Corpus) -> None:
    config = TrainConfig(batch_s=10)
    assert plan_epoch(corpus, config, 3) == plan_epoch(corpus, config, 3)
    assert plan_epoch(corpus, config, 3) != plan_epoch(corpus, config, 4)


def test_batches_hold_every_example_once_within_their_limit(corpus: Corpus) -> None:
    examples = [corpus.whole(i) for i in range(12)]
    batches = list(bucket(examples, 10.0, np.random.default_rng(1)))
    assert sorted(e.utterance for b in batches for e in b) == list(range(12))
    for batch in batches:
        assert max(e.end - e.start for e in batch) * len(batch) <= 10.0 * 16_000


def test_a_batch_carries_tail_targets_and_phones(corpus: Corpus, tokeniser: Tokeniser) -> None:
    batch = dataset(corpus, tokeniser, [[corpus.whole(0), corpus.whole(5)]])[0]
    steps = [-(-corpus.audio.samples(i) // 1280) + 2 for i in (0, 5)]
    assert batch.steps.tolist() == steps
    assert batch.samples.shape == (2, max(steps) * 1280)
    assert tokeniser.units.text(batch.targets[: batch.target_lengths[0]].tolist()) == batch.texts[0]
    assert bool((batch.phones[0] == NO_TARGET).all())
    emissions = steps[1] * MODEL.outputs_per_step
    assert bool((batch.phones[1, :emissions] != NO_TARGET).all())
    # An emission stands for 4 frames; 60 ms of delay put its middle at 4 e + 2 - 6.
    assert batch.phones[1, 10].item() == (4 * 10 + 2 - 6) % 40


def test_a_resumed_epoch_continues_with_the_same_batches(
    corpus: Corpus, tokeniser: Tokeniser
) -> None:
    plan = plan_epoch(corpus, TrainConfig(batch_s=6), 0)
    whole = dataset(corpus, tokeniser, plan)
    resumed = dataset(corpus, tokeniser, plan, numbers=range(2, len(plan)))
    assert len(resumed) == len(whole) - 2
    assert resumed[0].texts == whole[2].texts
    assert bool((resumed[0].samples == whole[2].samples).all())
    with pytest.raises(IndexError):
        resumed[len(resumed)]
