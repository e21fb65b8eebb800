"""The graph decoder with the shipped model, through streams, the engine thread and the daemon."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from streamasr.app.evaluate import decode
from streamasr.app.mixing import read_clip
from streamasr.app.wer import count_errors
from streamasr.core.events import Event, Final, Partial, SpeechStarted
from streamasr.core.hotwords import HotWord, heat
from streamasr.core.options import DecoderName, StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge.client import connect
from streamasr.edge.engines import load_recognizer, open_engine
from streamasr.errors import ConfigError
from tests.conftest import CLIP_TEXTS, DATA
from tests.edge.daemon import daemon, pcm, pieces
from tests.fakes import cuts, texts

SECOND = np.zeros(16_000, np.float32)
CLIPS = {name: np.concatenate([read_clip(DATA / name), SECOND]) for name in CLIP_TEXTS}
NAMES = sorted(CLIPS)


@pytest.fixture(scope="module")
def recognizer(spoken_bundle: Path) -> Recognizer:
    return load_recognizer(str(spoken_bundle), device="cpu", capacity=8)


def heard(
    recognizer: Recognizer,
    name: str,
    seed: int = 0,
    options: StreamOptions | None = None,
    *,
    as_sent: bool = False,
) -> list[Event]:
    """What a clip gives, as it is or rounded as `pcm` sends it."""
    samples = CLIPS[name]
    if as_sent:
        samples = np.frombuffer(pcm(samples), "<i2").astype(np.float32) / 32768
    with recognizer.stream(options) as stream:
        events = [e for block in cuts(samples, Random(seed)) for e in stream.accept(block)]
        return events + stream.finish()


@pytest.mark.parametrize("name", NAMES)
def test_clips_of_known_text_are_heard_right(recognizer: Recognizer, name: str) -> None:
    events = heard(recognizer, name)
    said = " ".join(texts(events)).split()
    assert count_errors(CLIP_TEXTS[name].split(), said).total <= 2
    for final in (event for event in events if isinstance(event, Final)):
        assert " ".join(word.text for word in final.words) == final.text
        assert all(0 < word.confidence < 1 for word in final.words)
        assert all(final.start <= word.start < word.end <= final.end for word in final.words)


@pytest.mark.parametrize("seed", range(1, 5))
def test_how_the_audio_was_cut_changes_nothing(recognizer: Recognizer, seed: int) -> None:
    name = NAMES[seed % len(NAMES)]
    assert heard(recognizer, name, seed) == heard(recognizer, name)


def test_partials_show_settled_words_only(recognizer: Recognizer) -> None:
    shown: dict[int, list[str]] = {}
    for event in heard(recognizer, NAMES[1]):
        if isinstance(event, SpeechStarted):
            shown[event.utterance] = []
        elif isinstance(event, Partial):
            shown[event.utterance].append(event.text)
            assert len(event.words) <= len(event.text.split())
    partials = [texts for texts in shown.values() if texts]
    assert partials
    for told in partials:
        assert all(len(b.split()) > len(a.split()) for a, b in pairwise(told))


def test_greedy_is_as_without_a_language_model_but_for_words_that_are_none(
    recognizer: Recognizer, plain_bundle: Path
) -> None:
    plain = load_recognizer(str(plain_bundle), device="cpu")
    assert plain.facts.proofreader is None
    options = StreamOptions(decoder="greedy")
    mended = " ".join(texts(heard(recognizer, NAMES[0], options=options))).split()
    written = " ".join(texts(heard(plain, NAMES[0]))).split()
    listed = recognizer.facts.proofreader
    assert listed is not None
    same = [one == other for one, other in zip(mended, written, strict=True)]
    assert any(same)
    assert all(
        equal or listed.mend(word) != word for equal, word in zip(same, written, strict=True)
    )
    with pytest.raises(ConfigError, match="no language model"):
        plain.stream(StreamOptions(decoder="graph"))


def test_a_hot_word_is_heard_that_the_model_lacks(recognizer: Recognizer) -> None:
    graph = recognizer.facts.graph
    assert graph is not None
    hot = heat(graph, [HotWord("blonders", boost=9.0, phones="B L AA N D ER Z")])
    assert "blonders" not in " ".join(texts(heard(recognizer, NAMES[0])))
    events = heard(recognizer, NAMES[0], options=StreamOptions(hotwords=hot))
    assert len(" ".join(texts(events)).split()) == len(CLIP_TEXTS[NAMES[0]].split())


def test_words_are_expected_from_the_next_utterance_on(recognizer: Recognizer) -> None:
    graph = recognizer.facts.graph
    assert graph is not None
    hot = heat(graph, [HotWord("blonders", boost=9.0, phones="B L AA N D ER Z")])
    clip = CLIPS[NAMES[0]]
    with recognizer.stream() as stream:
        half = len(clip) // 3
        events = stream.accept(clip[:half])
        stream.expect(hot)
        first = texts(events + stream.accept(clip[half:]) + stream.flush())
        second = texts(stream.accept(clip) + stream.finish())
    assert first == texts(heard(recognizer, NAMES[0]))
    assert second == texts(heard(recognizer, NAMES[0], options=StreamOptions(hotwords=hot)))


async def test_many_sessions_with_both_decoders_hear_what_each_hears_alone(
    spoken_bundle: Path, recognizer: Recognizer
) -> None:
    async def one(number: int, url: str) -> tuple[str, str]:
        chosen: DecoderName = "greedy" if number % 2 else "graph"
        async with connect(url, decoder=chosen) as client:
            assert client.ready.decoder == chosen
            for piece in pieces(pcm(CLIPS[NAMES[number % len(NAMES)]])):
                await client.send(piece)
            await client.stop()
            return chosen, " ".join(texts([event async for event in client]))

    def engine() -> object:
        return open_engine(spoken_bundle, device="cpu", kind="onnx", capacity=8)

    async with daemon(open_engine=engine) as running:  # type: ignore[arg-type]
        found = await asyncio.gather(*(one(number, running.url) for number in range(6)))
    for number, (chosen, text) in enumerate(found):
        options = StreamOptions(decoder=chosen)  # type: ignore[arg-type]
        alone = heard(recognizer, NAMES[number % len(NAMES)], options=options, as_sent=True)
        assert text == " ".join(texts(alone))


async def test_a_session_is_told_what_it_does_not_get(spoken_bundle: Path) -> None:
    async with daemon() as running, connect(running.url, decoder="graph", hotwords=["a"]) as client:
        assert client.ready.decoder == "greedy"
        assert client.ready.ignored == ("decoder", "hotwords")
        await client.stop()

    def engine() -> object:
        return open_engine(spoken_bundle, device="cpu", kind="onnx")

    hot = ["lord", "xyzzy plover"]
    async with (
        daemon(open_engine=engine) as running,  # type: ignore[arg-type]
        connect(running.url, hotwords=hot) as client,
    ):
        assert client.ready.decoder == "graph"
        assert client.ready.ignored == ("hotwords: xyzzy plover",)
        await client.stop()


async def test_the_servers_hot_words_are_for_sessions_that_name_none(spoken_bundle: Path) -> None:
    def engine() -> object:
        return open_engine(spoken_bundle, device="cpu", kind="onnx")

    async with daemon(open_engine=engine, stream__hotwords=["xyzzy"]) as running:  # type: ignore[arg-type]
        for own, ignored in ((None, ("hotwords: xyzzy",)), ([], ()), (["lord"], ())):
            async with connect(running.url, hotwords=own) as client:
                assert client.ready.ignored == ignored
                await client.stop()


def test_an_evaluation_counts_what_the_finals_say(recognizer: Recognizer) -> None:
    """Partials that a final corrects, or shortens, leave nothing behind."""
    for name in NAMES:
        finals = [e.text for e in heard(recognizer, name) if isinstance(e, Final)]
        text, emitted = decode(recognizer, CLIPS[name], StreamOptions())
        assert text == " ".join(finals)
        assert len(emitted) == len(text.split())
