"""Real speech through the shipped model: the same words on every road."""

import random
from pathlib import Path

import numpy as np
import pytest

from bench.music import coloured, compose
from streamasr.app.mixing import read_clip
from streamasr.app.wer import Errors, count_errors
from streamasr.core.events import Event, Final, SpeechStarted
from streamasr.core.options import DecoderName
from streamasr.core.recognizer import Recognizer
from streamasr.edge.bundle import DEFAULT_MODEL, load
from streamasr.edge.client import transcribe
from streamasr.edge.engines import open_engine
from tests.conftest import DATA
from tests.edge.daemon import daemon
from tests.fakes import check_promises, cuts

MODEL = Path(__file__).parent.parent / "models" / DEFAULT_MODEL
CLIPS = sorted(DATA.glob("*.flac"))


def references() -> dict[str, str]:
    """Clip -> text, from the table in the data's README."""
    rows = [line.split("|") for line in (DATA / "README.md").read_text().splitlines()]
    return {r[1].strip(): r[4].strip() for r in rows if len(r) > 4 and ".flac" in r[1]}


@pytest.fixture(scope="module", params=["greedy", "graph"])
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    return Recognizer(open_engine(MODEL, device="cpu", capacity=4, decoder=request.param))


def decoder(recognizer: Recognizer) -> DecoderName:
    return "greedy" if recognizer.facts.graph is None else "graph"


def hear(recognizer: Recognizer, samples: np.ndarray, seed: int | None = None) -> list[Event]:
    blocks = [samples] if seed is None else cuts(samples, random.Random(seed))
    with recognizer.stream() as stream:
        events = [event for block in blocks for event in stream.accept(block)]
        return events + stream.finish()


def text(events: list[Event]) -> str:
    return " ".join(e.text for e in events if isinstance(e, Final))


@pytest.mark.parametrize("clip", CLIPS, ids=lambda c: c.stem)
def test_how_the_clip_is_cut_changes_no_word(recognizer: Recognizer, clip: Path) -> None:
    samples = read_clip(clip)
    whole = hear(recognizer, samples)
    if recognizer.facts.graph is None:
        check_promises(whole)
    assert text(whole)
    for seed in range(2):
        assert hear(recognizer, samples, seed)[-1] == whole[-1]
        assert text(hear(recognizer, samples, seed)) == text(whole)


def test_it_understands_better_than_its_budget_on_held_out_speakers(
    recognizer: Recognizer,
) -> None:
    """Three short clips: far too few to measure, enough to notice a broken model."""
    errors = [
        count_errors(references()[c.name].split(), text(hear(recognizer, read_clip(c))).split())
        for c in CLIPS
    ]
    assert sum(errors, Errors()).rate < 0.8


def test_both_engines_hear_the_same_words(recognizer: Recognizer) -> None:
    reference = Recognizer(
        open_engine(MODEL, device="cpu", kind="torch", decoder=decoder(recognizer))
    )
    samples = read_clip(CLIPS[0])
    ours, theirs = (text(hear(r, samples)).split() for r in (recognizer, reference))
    assert count_errors(theirs, ours).rate <= 0.25


async def test_websocket_text_equals_file_text(recognizer: Recognizer) -> None:
    async with daemon(
        open_engine=lambda: open_engine(MODEL, device="cpu", decoder=decoder(recognizer))
    ) as running:
        for clip in CLIPS:
            samples = read_clip(clip)
            pcm = np.round(samples * 32768).clip(-32768, 32767).astype("<i2")
            expected = text(hear(recognizer, pcm.astype(np.float32) / np.float32(32768)))
            data = pcm.tobytes()
            blocks = (data[i : i + 3200] for i in range(0, len(data), 3200))
            heard = await transcribe(running.url, blocks)
            assert heard.text == expected


def test_silence_and_faint_noise_stay_silent(recognizer: Recognizer) -> None:
    rng = np.random.default_rng(0)
    faint = (rng.standard_normal(16_000 * 20) * 1e-3).astype(np.float32)
    assert hear(recognizer, np.zeros(16_000 * 20, np.float32)) == []
    assert text(hear(recognizer, faint)) == ""


def test_a_stream_that_has_run_for_long_is_no_worse(recognizer: Recognizer) -> None:
    silence = np.zeros(16_000, np.float32)
    samples = np.concatenate([part for clip in CLIPS for part in (read_clip(clip), silence)])
    expected = " ".join(references()[clip.name] for clip in CLIPS).split()
    with recognizer.stream() as stream:
        rates = [
            count_errors(expected, text(stream.accept(samples)).split()).rate for _ in range(8)
        ]
        stream.finish()
    assert np.mean(rates[4:]) <= np.mean(rates[:2]) + 0.15


def test_the_shipped_bundle_is_whole_and_small() -> None:
    bundle = load(MODEL)
    assert sum(f.stat().st_size for f in MODEL.rglob("*") if f.is_file()) <= 30_000_000
    assert bundle.facts.latency_ms <= 250
    assert "LibriSpeech" in (MODEL / "CARD.md").read_text()


def test_music_and_noise_give_no_words_and_speech_after_them_does(recognizer: Recognizer) -> None:
    clip = CLIPS[0]
    said = text(hear(recognizer, read_clip(clip)))
    rng = np.random.default_rng(5)
    pieces = [compose(rng, seconds=10.0) for _ in range(4)]
    pieces += [coloured(rng, seconds=10.0, slope=1.0, waver=6.0)]
    with recognizer.stream() as stream:
        events = [event for piece in pieces for event in stream.accept(piece)] + stream.flush()
        assert any(isinstance(event, SpeechStarted) for event in events), "the gate did open"
        assert text(events) == ""
        heard = text(stream.accept(read_clip(clip)) + stream.finish())
        assert len(set(heard.split()) & set(said.split())) >= 4
