"""A corpus aligned with the shipped model, and what is left out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.alignment import align as pocketsphinx
from streamasr.app.alignment import read_alignments
from streamasr.app.manifest import Utterance
from streamasr.app.mixing import read_clip
from streamasr.app.train.aligner import Pronouncer, align_corpus
from streamasr.core.phones import PHONES
from streamasr.edge.bundle import DEFAULT_MODEL, find
from streamasr.edge.lm.lexicon import Lexicon
from streamasr.errors import UsageError
from tests.conftest import DATA

ROWS = [line.split("|") for line in (DATA / "README.md").read_text().splitlines()]
CLIPS = {r[1].strip(): r[4].strip() for r in ROWS if len(r) > 4 and ".flac" in r[1]}


def utterance(name: str, path: Path, text: str) -> Utterance:
    return Utterance(name, path, soundfile.info(path).duration, "s", "dev", text, "clips")


@pytest.fixture(scope="module")
def clips() -> list[Utterance]:
    return [utterance(clip, DATA / clip, text) for clip, text in CLIPS.items()]


def test_word_boundaries_are_those_of_another_aligner(
    clips: list[Utterance], tmp_path: Path
) -> None:
    report = align_corpus(find(DEFAULT_MODEL), clips, tmp_path / "clips.jsonl.gz")
    assert (report.aligned, report.guessed) == (3, 0)
    found = read_alignments(tmp_path, ["clips"])
    gaps = []
    for clip in clips:
        ours = found["clips", clip.id]
        assert ours.agrees_with(clip.text)
        assert len(ours.phones) == len(read_clip(clip.path)) // 160
        theirs = pocketsphinx(read_clip(clip.path), clip.text)
        assert len(theirs) == len(ours.words)
        for a, b in zip(ours.words, theirs, strict=True):
            gaps += [a.start - 100 * b.start_s, a.end - 100 * b.end_s]
    assert np.median(np.abs(gaps)) <= 2, "frames of 10 ms"
    assert abs(np.median(gaps)) <= 1


def test_what_cannot_be_aligned_is_left_out_and_counted(
    clips: list[Utterance], tmp_path: Path
) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(800, np.float32), 16_000)
    corpus = [
        utterance("digits", clips[0].path, "they get 2"),
        utterance("short", short, "the better even"),
        clips[1],
    ]
    report = align_corpus(find(DEFAULT_MODEL), corpus, tmp_path / "clips.jsonl.gz")
    assert (report.aligned, report.unspeakable, report.too_short) == (1, 1, 1)
    assert list(read_alignments(tmp_path, ["clips"])) == [("clips", clips[1].id)]


def test_a_model_without_a_phone_head_is_refused(tmp_path: Path, clips: list[Utterance]) -> None:
    import torch

    from streamasr.app.train.export import write_bundle
    from streamasr.core.model import ModelConfig
    from streamasr.core.network import AcousticModel
    from tests.conftest import TINY_UNITS, noise

    config = ModelConfig(mels=40, conv_channels=4, width=16, layers=1, units=len(TINY_UNITS))
    speech = torch.from_numpy(noise(config.step_samples * 8, seed=1)[None])
    write_bundle(tmp_path / "plain", AcousticModel(config).eval(), TINY_UNITS, speech)
    with pytest.raises(UsageError, match="no phone head"):
        align_corpus(tmp_path / "plain", clips, tmp_path / "out.jsonl.gz")
    assert not list(tmp_path.glob("out*"))


def test_unknown_words_are_guessed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sounds = {"b": "B", "d": "D", "m": "M", "s": "S", "a": "AE", "i": "IH", "o": "AA"}
    lexicon: Lexicon = {
        a + v + b: [(sounds[a], sounds[v], sounds[b])]
        for a in "bdms" for v in "aio" for b in "bdms"
    }  # fmt: skip
    del lexicon["mad"]
    pronouncer = Pronouncer(lexicon)
    assert pronouncer.say(["bad"]) == {"bad": [("B", "AE", "D")]}
    assert not list(tmp_path.iterdir()), "nothing was learnt for what is known"
    assert pronouncer.say(["mad", "bad"])["mad"][0] == ("M", "AE", "D")
    assert pronouncer.say(["quux"]) == {"quux": []}
    assert pronouncer.guessed == 2
    (kept,) = (tmp_path / "streamasr").iterdir()
    before = kept.stat().st_mtime_ns
    assert Pronouncer(lexicon).say(["mad"])["mad"][0] == ("M", "AE", "D")
    assert kept.stat().st_mtime_ns == before
    assert all(p in PHONES for said in pronouncer.say(["mad"])["mad"] for p in said)
