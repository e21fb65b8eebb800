"""What the listening half heard, kept for the speller."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.app.alignment import NO_TARGET
from streamasr.app.train.examples import Batch
from streamasr.app.train.hearing import Hearing, SpellingBatch
from streamasr.app.train.inventory import Tokeniser, learn_pieces
from streamasr.app.train.mmi import join_chains
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.core.phones import SILENCE
from tests.conftest import noise

CONFIG = ModelConfig(
    mels=40, conv_channels=4, width=16, layers=1, units=9, phones=5, speller_layers=1,
    speller_width=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser(learn_pieces(["a cat sat", "a sat cat", "cat cat a"] * 20, 14))


def speech(seed: int, steps: list[int], texts: list[str]) -> Batch:
    samples = noise(CONFIG.step_samples * max(steps) * len(steps), seed=seed)
    emissions = 2 * max(steps)
    return Batch(
        samples=torch.from_numpy(samples.reshape(len(steps), -1)),
        steps=torch.tensor(steps),
        targets=torch.tensor([1] * len(steps)),
        target_lengths=torch.tensor([1] * len(steps)),
        phones=torch.full((len(steps), emissions), seed % 5),
        chains=join_chains([None] * len(steps)),
        texts=texts,
    )


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    torch.manual_seed(1)
    return AcousticModel(CONFIG)


@pytest.fixture(scope="module")
def hearing(model: AcousticModel) -> Hearing:
    batches = [speech(3, [4, 9], ["cat", "a cat sat"]), speech(4, [6], ["cat a"])]
    return Hearing.gather(
        model, [(batch, None) for batch in batches], device=torch.device("cpu"), bf16=False
    )


def test_utterances_are_kept_whole_and_shortest_first(
    model: AcousticModel, hearing: Hearing
) -> None:
    assert hearing.texts.tolist() == ["cat", "cat a", "a cat sat"]
    assert np.diff(hearing.ends, prepend=0).tolist() == [8, 12, 18]
    assert hearing.targets.tolist() == [3] * 8 + [4] * 12 + [3] * 18
    batch = speech(4, [6], [""])
    with torch.no_grad():
        expected = model.eval().phones(batch.samples)[0].exp().numpy()
    np.testing.assert_allclose(hearing.posteriors[8:20], expected, atol=1e-3)


def test_masks_change_what_is_heard(model: AcousticModel) -> None:
    batch = speech(3, [4], ["cat"])
    plain, masked = (
        Hearing.gather(model, [(batch, hook)], device=torch.device("cpu"), bf16=False)
        for hook in (None, lambda frames: frames * 0)
    )
    assert not np.allclose(plain.posteriors, masked.posteriors)


def test_a_batch_holds_utterances_of_like_length_with_their_spelling(
    hearing: Hearing, tokeniser: Tokeniser
) -> None:
    sizes = set()
    for seed in range(8):
        batch = hearing.batch(
            tokeniser, emissions=16, outputs_per_step=2, rng=np.random.default_rng(seed)
        )
        assert batch.steps.tolist() in ([4, 6], [6, 9], [9])
        sizes.add(len(batch.steps))
        spelt = [tokeniser.encode(t) for t in hearing.texts if t]
        assert batch.target_lengths.tolist() in (
            [len(s) for s in spelt[:2]], [len(s) for s in spelt[1:]], [len(spelt[2])],
        )  # fmt: skip
    assert sizes == {1, 2}


def test_sentences_are_filled_up_with_silence(tokeniser: Tokeniser) -> None:
    heard = [np.full((n, 5), 0.2, np.float16) for n in (3, 6)]
    batch = SpellingBatch.collate(heard, ["cat", "sat"], tokeniser, 2, tail_steps=1)
    assert batch.steps.tolist() == [3, 4]
    assert batch.phones.shape == (2, 8, 5)
    assert batch.phones[0, 3:, SILENCE].tolist() == [1.0] * 5
    torch.testing.assert_close(batch.phones.sum(dim=2), torch.ones(2, 8), atol=1e-3, rtol=0)


def test_what_was_heard_survives_its_file(hearing: Hearing, tmp_path: Path) -> None:
    hearing.write(tmp_path / "heard.npz")
    again = Hearing.read(tmp_path / "heard.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["heard.npz"]
    assert again.texts.tolist() == hearing.texts.tolist()
    np.testing.assert_array_equal(again.posteriors, hearing.posteriors)
    assert len(again.bank()) == len(hearing.bank()) > 0


def test_utterances_without_alignment_are_no_part_of_the_bank(hearing: Hearing) -> None:
    targets = hearing.targets.copy()
    targets[:8] = NO_TARGET
    less = Hearing(hearing.posteriors, targets, hearing.ends, hearing.texts)
    assert len(less.bank()) == len(hearing.bank()) - 1
