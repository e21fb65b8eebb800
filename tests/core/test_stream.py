"""The four laws of a stream, and what each of its controls promises.

How the audio is cut changes nothing; what comes later changes nothing that was said;
partials only grow; and streams that share an engine do not know of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from streamasr.core.decoder import GreedyDecoder
from streamasr.core.endpoint import Outlook
from streamasr.core.events import Event, Final, Gap, Partial, SpeechEnded, SpeechStarted
from streamasr.core.model import Emissions
from streamasr.core.options import StreamOptions
from streamasr.core.phones import PHONES
from streamasr.core.stream import Stream
from streamasr.errors import AudioFormatError, StreamClosed, UsageError
from tests.fakes import (
    FACTS,
    ScriptedEngine,
    check_promises,
    cuts,
    pump,
    silence,
    talk,
    texts,
    tone,
    tone_gate,
)

Samples = NDArray[np.float32]
SEEDS = range(20)
GATED = StreamOptions()
OPEN = StreamOptions(vad=False)
PATIENT = StreamOptions(endpoint_ms=200, unfinished_ms=500)
SHORT = StreamOptions(max_utterance_s=1.5, trailing_blank_ms=300, endpoint_ms=700)


def new_stream(options: StreamOptions = GATED) -> Stream:
    return Stream(FACTS, options, gate=tone_gate(options) if options.vad else None)


class Rig:
    """A stream with an engine of its own."""

    def __init__(self, options: StreamOptions = GATED, *, delay: int = 2) -> None:
        self.stream = new_stream(options)
        self.engine = ScriptedEngine(capacity=1, delay=delay)
        self.slot = self.engine.open()

    def pump(self) -> list[Event]:
        return pump(self.stream, self.engine, self.slot)

    def hear(self, *blocks: Samples) -> list[Event]:
        events = []
        for block in blocks:
            self.stream.accept(block)
            events += self.pump()
        return events

    def finish(self) -> list[Event]:
        self.stream.finish()
        return self.pump()


def hear_all(audio: Samples, options: StreamOptions = GATED) -> list[Event]:
    rig = Rig(options)
    return rig.hear(audio) + rig.finish()


# ---- the laws ----


@pytest.mark.parametrize(
    "options", [GATED, OPEN, SHORT, PATIENT], ids=["gated", "open", "short", "patient"]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_cutting_the_audio_changes_nothing(seed: int, options: StreamOptions) -> None:
    audio = talk(Random(seed))
    rig = Rig(options)
    events = rig.hear(*cuts(audio, Random(seed + 100))) + rig.finish()
    assert events == hear_all(audio, options)
    assert texts(events)


@pytest.mark.parametrize("seed", SEEDS)
def test_when_the_work_is_done_changes_nothing(seed: int) -> None:
    """The driver may lag behind by any amount, between any two calls."""
    rng = Random(seed)
    audio = talk(rng)
    rig = Rig()
    events = []
    for block in cuts(audio, rng):
        rig.stream.accept(block)
        for _ in range(rng.choice((0, 0, 1, 5))):
            work = rig.stream.take()
            if work is not None:
                assert rig.stream.take() is None, "one step at most is out"
                if work.fresh:
                    rig.engine.reset(rig.slot)
                rig.stream.push(rig.engine.step([(rig.slot, work.samples)])[0])
        events += rig.stream.events()
    assert events + rig.finish() == hear_all(audio)


@pytest.mark.parametrize("seed", SEEDS)
def test_later_audio_never_changes_what_was_said(seed: int) -> None:
    rng = Random(seed)
    audio = talk(rng)
    cut = rng.randrange(len(audio))
    other = np.concatenate([audio[:cut], talk(Random(seed + 1000))])
    before = Rig().hear(audio[:cut])
    assert Rig().hear(audio)[: len(before)] == before
    assert Rig().hear(other)[: len(before)] == before


@pytest.mark.parametrize("options", [GATED, OPEN, SHORT], ids=["gated", "open", "short"])
@pytest.mark.parametrize("seed", SEEDS)
def test_partials_grow_and_the_final_begins_with_the_last(
    seed: int, options: StreamOptions
) -> None:
    events = hear_all(talk(Random(seed), turns=6), options)
    check_promises(events)
    assert isinstance(events[-1], SpeechEnded)


@pytest.mark.parametrize("seed", SEEDS)
def test_streams_that_share_an_engine_equal_each_alone(seed: int) -> None:
    rng = Random(seed)
    count = 6
    engine = ScriptedEngine(capacity=count)
    streams = {engine.open(): new_stream(rng.choice((GATED, SHORT, OPEN))) for _ in range(count)}
    audio = {slot: talk(Random(100 * seed + slot)) for slot in streams}
    blocks = {slot: list(cuts(audio[slot], rng)) for slot in streams}
    events: dict[int, list[Event]] = {slot: [] for slot in streams}
    while any(blocks.values()) or not all(stream.idle for stream in streams.values()):
        for slot, stream in streams.items():
            if blocks[slot] and rng.random() < 0.7:
                stream.accept(blocks[slot].pop(0))
                if not blocks[slot]:
                    stream.finish()
        ready = [slot for slot in streams if rng.random() < 0.8]
        rng.shuffle(ready)
        batch = []
        for slot in ready:
            if (work := streams[slot].take()) is not None:
                if work.fresh:
                    engine.reset(slot)
                batch.append((slot, work.samples))
        for (slot, _), emitted in zip(batch, engine.step(batch), strict=True):
            streams[slot].push(emitted)
            events[slot] += streams[slot].events()
    assert max(engine.batches) > 1
    for slot, stream in streams.items():
        events[slot] += stream.events()
        assert events[slot] == hear_all(audio[slot], stream._options)


# ---- utterances ----


def test_one_sound_from_start_to_end() -> None:
    events = hear_all(np.concatenate([silence(1.0), tone(0.6), silence(1.0)]))
    check_promises(events)
    assert events[0] == SpeechStarted(0, 16_000)
    assert events[-1] == SpeechEnded(0, 25_600)
    final = events[-2]
    assert isinstance(final, Final)
    assert (final.start, final.reason) == (16_000, "silence")
    assert 25_600 <= final.end <= 25_600 + 400 * 16
    assert " ".join(word.text for word in final.words) == final.text
    assert all(a.end <= b.start for a, b in pairwise(final.words))
    assert final.confidence == pytest.approx(
        sum(word.confidence for word in final.words) / len(final.words)
    )


def test_an_utterance_does_not_know_what_came_before_it() -> None:
    """Cut from its own first sample, in fresh state: moved audio says the same."""
    word = np.concatenate([silence(1.0), tone(0.6), silence(1.0)])
    first, second = texts(hear_all(np.concatenate([word, silence(0.02 * 7), word])))
    assert first == second


def test_the_last_word_comes_out_of_the_tail() -> None:
    """However late the model is, up to the tail, flushing gives what it would have said."""
    audio = tone(0.64)
    prompt, late = Rig(OPEN, delay=0), Rig(OPEN, delay=2 * FACTS.tail_steps)
    assert texts(prompt.hear(audio) + prompt.finish()) == texts(late.hear(audio) + late.finish())


def test_a_sound_without_text_gives_no_final() -> None:
    class Deaf(ScriptedEngine):
        def _hear(self, ear: object, samples: Samples) -> NDArray[np.float32]:
            return np.stack([self._emission(0, 0.9)] * 2)

    rig = Rig()
    rig.engine = Deaf(capacity=1)
    rig.engine.open()
    events = rig.hear(tone(0.5), silence(0.5))
    assert events == [SpeechStarted(0, 0), SpeechEnded(0, 8000)]


def test_partials_and_words_can_be_left_out() -> None:
    audio = np.concatenate([tone(1.0), silence(1.0)])
    full = hear_all(audio)
    bare = hear_all(audio, StreamOptions(partials=False, words=False))
    assert not any(isinstance(event, Partial) for event in bare)
    (final,) = (event for event in bare if isinstance(event, Final))
    assert final.words == ()
    (whole,) = (event for event in full if isinstance(event, Final))
    assert (final.text, final.start, final.end, final.confidence) == (
        whole.text,
        whole.start,
        whole.end,
        whole.confidence,
    )


def test_partials_have_words_where_all_have_them_and_partials_are_to() -> None:
    for words, partial_words in ((True, True), (True, False), (False, True)):
        options = StreamOptions(words=words, partial_words=partial_words)
        partials = [event for event in hear_all(tone(1.0), options) if isinstance(event, Partial)]
        assert partials
        assert all(bool(event.words) == (words and partial_words) for event in partials)


def test_text_is_held_back_only_where_presence_is_asked_for() -> None:
    class Vague(ScriptedEngine):
        def step(self, batch: Sequence[tuple[int, Samples]]) -> list[Emissions]:
            doubt = np.full((2, len(PHONES)), -np.log(len(PHONES)), np.float32)
            return [Emissions(answer.units, doubt) for answer in super().step(batch)]

    said = []
    for presence in (True, False):
        rig = Rig()
        options = StreamOptions(presence=presence)
        rig.stream = Stream(replace(FACTS, presence=0.4), options, gate=tone_gate(options))
        rig.engine = Vague(capacity=1)
        rig.engine.open()
        said.append(texts(rig.hear(tone(1.0)) + rig.finish()))
    assert said == [[], texts(hear_all(tone(1.0)))]


def test_silence_makes_no_work_and_no_events() -> None:
    rig = Rig(StreamOptions())
    assert rig.hear(*[silence(0.1)] * 100) == []
    assert rig.engine.batches == []
    assert rig.stream.position == 160_000
    assert rig.stream.lag_samples == 0


def test_blanks_after_text_end_an_utterance_while_the_gate_is_open() -> None:
    options = StreamOptions(vad=False, trailing_blank_ms=600)
    events = hear_all(np.concatenate([tone(0.4), silence(2.0), tone(0.4)]), options)
    check_promises(events)
    first, second = (event for event in events if isinstance(event, Final))
    assert (first.reason, second.reason) == ("trailing_blank", "finish")
    starts = [event.at for event in events if isinstance(event, SpeechStarted)]
    ends = [event.at for event in events if isinstance(event, SpeechEnded)]
    assert starts[0] == 0
    assert ends[0] < 0.7 * 16_000 < starts[1] < 1.6 * 16_000


class Expectant(GreedyDecoder):
    """Waits for more until it has heard three words."""

    @property
    def outlook(self) -> Outlook:  # type: ignore[override]
        return "unfinished" if len(self.words()) < 3 else "open"


@pytest.mark.parametrize("unfinished_ms", [None, 500])
def test_what_is_unfinished_is_waited_for(unfinished_ms: int | None) -> None:
    options = StreamOptions(
        endpoint_ms=200, unfinished_ms=unfinished_ms,
        new_decoder=lambda: Expectant(FACTS.units, FACTS.blank),
    )  # fmt: skip
    audio = np.concatenate([tone(0.2), silence(0.35), tone(0.6), silence(1.0)])
    finals = [event for event in hear_all(audio, options) if isinstance(event, Final)]
    assert len(finals) == (2 if unfinished_ms is None else 1)
    assert {final.reason for final in finals} == {"silence"}


def test_endless_sound_is_cut_at_the_limit_and_no_sample_is_lost() -> None:
    rig = Rig(StreamOptions(vad=False, max_utterance_s=2.0))
    audio = tone(9.0) * np.linspace(0.5, 1.0, 144_000, dtype=np.float32)
    rig.stream.accept(audio)
    rig.stream.finish()
    heard = []
    while (work := rig.stream.take()) is not None:
        heard.append(work.samples)
        rig.stream.push(rig.engine.step([(0, work.samples)])[0])
    events = rig.stream.events()
    check_promises(events)
    reasons = [event.reason for event in events if isinstance(event, Final)]
    assert reasons == ["length"] * 4 + ["finish"]
    starts = [event.at for event in events if isinstance(event, SpeechStarted)]
    assert starts == [0, 32_000, 64_000, 96_000, 128_000]
    sound = np.concatenate([step for step in heard if step.any()])
    np.testing.assert_array_equal(sound[: len(audio)], audio)


def test_near_the_limit_a_quiet_moment_is_preferred() -> None:
    audio = np.concatenate([tone(1.7), silence(0.45), tone(1.0)])
    events = hear_all(audio, StreamOptions(vad=False, max_utterance_s=2.4))
    (start,) = (e.at for e in events if isinstance(e, SpeechStarted) and e.utterance == 1)
    assert 1.7 * 16_000 < start < 2.3 * 16_000


# ---- controls ----


def test_flush_ends_the_utterance_and_the_stream_goes_on() -> None:
    rig = Rig()
    events = rig.hear(tone(0.51))
    rig.stream.flush()
    events += rig.pump()
    assert isinstance(events[-2], Final)
    assert events[-2].reason == "finish"
    assert events[-1] == SpeechEnded(0, 8160)
    rig.stream.flush()
    assert rig.pump() == []
    assert rig.hear(tone(0.5))[0] == SpeechStarted(1, 8160)


def test_nothing_is_accepted_after_finish() -> None:
    rig = Rig()
    rig.hear(tone(0.5))
    assert texts(rig.finish())
    assert rig.finish() == []
    with pytest.raises(StreamClosed):
        rig.stream.accept(tone(0.1))
    with pytest.raises(StreamClosed):
        rig.stream.gap(1)


def test_reset_forgets_the_utterance_and_the_answer_that_is_out() -> None:
    rig = Rig()
    rig.stream.accept(tone(1.0))
    assert rig.stream.take() is not None
    rig.stream.mark("lost")
    rig.stream.reset()
    assert (rig.stream.lag_samples, rig.stream.marks()) == (0, ["lost"])
    assert rig.stream.events() == [SpeechStarted(0, 0)]
    rig.stream.accept(np.concatenate([tone(0.5, level=0.4), silence(0.5)]))
    assert rig.stream.take() is None, "the old step is still out"
    rig.stream.push(Emissions(np.zeros((2, len(FACTS.units)), np.float32)))
    after = rig.pump()
    check_promises([SpeechStarted(0, 0), SpeechEnded(0, 0), *after])
    expected = hear_all(np.concatenate([tone(0.5, level=0.4), silence(0.5)]))
    assert texts(after) == texts(expected)
    assert after[0] == SpeechStarted(1, 16_000)


def test_reset_closes_the_gate() -> None:
    rig = Rig()
    rig.hear(tone(1.0))
    rig.stream.reset()
    assert rig.hear(silence(1.0)) == []


def test_the_first_answer_after_a_reset_counts() -> None:
    rig, fresh = Rig(OPEN, delay=0), Rig(OPEN, delay=0)
    rig.hear(tone(0.8))
    rig.stream.reset()
    audio = tone(0.5, level=0.4)
    assert texts(rig.hear(audio) + rig.finish()) == texts(fresh.hear(audio) + fresh.finish())


def test_reset_forgets_a_step_that_nobody_took() -> None:
    rig = Rig()
    rig.stream.accept(tone(1.0))
    rig.stream.reset()
    assert rig.stream.take() is None
    assert rig.finish() == [SpeechStarted(0, 0)]


def test_a_short_gap_sounds_like_silence_and_says_so() -> None:
    rig = Rig()
    events = rig.hear(tone(0.5))
    rig.stream.gap(1600)
    events += rig.hear(tone(0.5), silence(0.5))
    filled = hear_all(np.concatenate([tone(0.5), silence(0.1), tone(0.5), silence(0.5)]))
    assert Gap(8000, 1600) in events
    assert [event for event in events if not isinstance(event, Gap)] == filled


def test_a_long_gap_ends_the_utterance_and_positions_go_on() -> None:
    rig = Rig()
    events = rig.hear(tone(0.5))
    rig.stream.gap(10**9)
    events += rig.pump()
    assert isinstance(events[-2], Final)
    assert events[-2].reason == "silence"
    assert rig.stream.position == 8000 + 10**9
    assert rig.hear(tone(0.5))[0] == SpeechStarted(1, 8000 + 10**9)


def test_a_gap_cannot_be_negative_and_an_empty_one_is_none() -> None:
    rig = Rig()
    with pytest.raises(UsageError):
        rig.stream.gap(-1)
    rig.stream.gap(0)
    assert rig.pump() == []


def test_a_mark_comes_back_once_everything_before_it_is_decoded() -> None:
    rig = Rig()
    rig.stream.mark("nothing before")
    assert rig.stream.marks() == ["nothing before"]
    rig.stream.accept(tone(0.5))
    rig.stream.flush()
    rig.stream.mark("after the first")
    rig.stream.accept(tone(0.5))
    events: list[Event] = []
    while (work := rig.stream.take()) is not None:
        ended = any(isinstance(event, SpeechEnded) for event in events)
        assert rig.stream.marks() == (["after the first"] if ended else [])
        events = [] if ended else events
        rig.stream.push(rig.engine.step([(0, work.samples)])[0])
        events += rig.stream.events()


def test_lag_counts_what_was_heard_and_not_decoded() -> None:
    rig = Rig(OPEN)
    rig.stream.accept(tone(0.5))
    assert rig.stream.lag_samples == 8000
    rig.pump()
    assert rig.stream.lag_samples == 8000 % 1280
    rig.finish()
    assert rig.stream.lag_samples == 0
    assert rig.stream.idle


def test_an_answer_nobody_asked_for_is_refused() -> None:
    with pytest.raises(UsageError):
        new_stream().push(Emissions(np.zeros((2, 8), np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused_and_nothing_is_taken(value: float) -> None:
    rig = Rig(OPEN)
    with pytest.raises(AudioFormatError):
        rig.stream.accept(np.array([0.1, value], np.float32))
    with pytest.raises(AudioFormatError):
        rig.stream.accept(np.zeros((4, 2), np.float32))
    assert rig.stream.position == 0
    assert rig.finish() == []


def test_too_loud_is_clipped() -> None:
    rig = Rig(OPEN)
    rig.stream.accept(np.full(1280, 1e30, np.float32))
    work = rig.stream.take()
    assert work is not None
    assert work.samples.max() == 1.0


def test_memory_does_not_grow_with_the_talk() -> None:
    """Nothing of an utterance outlives it: queues, tokens and words are let go."""
    rig = Rig(StreamOptions(vad=False, max_utterance_s=2.0))
    audio = tone(2.0)
    for _ in range(60):
        rig.hear(audio)
        assert rig.stream._open is None
        assert len(rig.stream._queue) == 0
        assert rig.stream.idle
