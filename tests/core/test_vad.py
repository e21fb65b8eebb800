"""The gate opens at speech, closes after it, and loses nothing in between."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from streamasr.core.vad import (
    MS,
    VAD_FRAME,
    Closed,
    Gate,
    GateItem,
    Opened,
    OpenGate,
    Paused,
    Speech,
    VadGate,
    WebRtcVad,
)
from tests.fakes import ToneVad, cuts, silence, talk, tone, voice

Samples = NDArray[np.float32]
CLIPS = sorted((Path(__file__).parents[1] / "data").glob("*.flac"))


def gate(endpoint_ms: int = 400, preroll_ms: int = 300) -> VadGate:
    return VadGate(ToneVad(), endpoint_ms=endpoint_ms, preroll_ms=preroll_ms)


def joined(items: list[GateItem]) -> list[GateItem | tuple[int, bytes]]:
    """Items with neighbouring pieces of speech made one, so that cuts can be compared."""
    out: list[GateItem | tuple[int, bytes]] = []
    for item in items:
        if not isinstance(item, Speech):
            out.append(item)
        elif out and isinstance(out[-1], tuple):
            at, data = out[-1]
            assert at + len(data) // 4 == item.at, "speech has no holes"
            out[-1] = (at, data + item.samples.tobytes())
        else:
            out.append((item.at, item.samples.tobytes()))
    return out


def noise(seconds: float, level: float, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * 16_000))).astype(np.float32)


def test_a_tone_in_silence() -> None:
    audio = np.concatenate([silence(1.0), tone(0.5), silence(1.0)])
    opened, speech, closed = joined(gate().process(audio))
    assert opened == Opened(16_000)
    assert closed == Closed(24_000)
    begin, end = 16_000 - 300 * MS, 24_000 + 400 * MS
    assert speech == (begin, audio[begin:end].tobytes())


def test_the_pre_roll_never_reaches_before_the_audio_or_into_the_last_utterance() -> None:
    early = joined(gate().process(np.concatenate([silence(0.1), tone(0.3)])))
    assert early[:2] == [Opened(1600), (0, early[1][1])]  # type: ignore[index]
    audio = np.concatenate([tone(0.3), silence(0.5), tone(0.3), silence(0.5)])
    first, second = (item for item in joined(gate().process(audio)) if isinstance(item, tuple))
    assert second[0] == len(first[1]) // 4 == (300 + 400) * MS


def test_short_sounds_do_not_open_the_gate() -> None:
    click = np.concatenate([silence(0.5), tone(0.04), silence(0.5)])
    assert gate().process(np.tile(click, 3)) == []
    assert gate().process(np.concatenate([click, tone(0.06)]))


def test_speech_begins_with_the_first_of_the_frames_that_opened_the_gate() -> None:
    audio = np.concatenate([silence(0.5), tone(0.02), silence(0.02), tone(0.2)])
    assert gate().process(audio)[0] == Opened(8000)


def test_a_pause_shorter_than_the_endpoint_does_not_close_it() -> None:
    audio = np.concatenate([tone(0.3), silence(0.38), tone(0.3), silence(0.5)])
    assert [type(item) for item in joined(gate().process(audio))] == [Opened, tuple, Closed]
    items = joined(gate(endpoint_ms=200).process(audio))
    assert [type(item) for item in items] == [Opened, tuple, Closed] * 2


def test_a_patient_gate_tells_of_a_pause_and_closes_later() -> None:
    one = VadGate(ToneVad(), endpoint_ms=200, most_ms=500)
    audio = np.concatenate([tone(0.3), silence(0.3), tone(0.3), silence(1.0)])
    items = joined(one.process(audio))
    kinds = [type(item) for item in items]
    assert kinds == [Opened, tuple, Paused, tuple, Paused, tuple, Closed]
    assert items[2] == Paused(300 * MS)
    assert items[4] == Paused(900 * MS)
    assert items[6] == Closed(900 * MS)
    given = b"".join(item[1] for item in items if isinstance(item, tuple))
    assert given == audio[: (900 + 500) * MS].tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_cutting_the_audio_changes_nothing(seed: int) -> None:
    audio = talk(Random(seed))
    whole, parts = gate(), gate()
    expected = joined(whole.process(audio) + whole.flush())
    items = [item for block in cuts(audio, Random(seed)) for item in parts.process(block)]
    assert joined(items + parts.flush()) == expected
    assert any(isinstance(item, Closed) for item in expected)


def test_flush_gives_every_sample_taken_and_positions_go_on() -> None:
    one = gate()
    audio = tone(0.5)[:7777]
    items = joined([*one.process(audio), *one.flush()])
    assert items == [Opened(0), (0, audio.tobytes()), Closed(7777)]
    assert one.flush() == []
    assert joined(one.process(np.concatenate([silence(1.0), tone(0.2)])))[0] == Opened(
        7777 + 16_000
    )


def test_flush_in_the_silence_after_speech_tells_where_the_speech_ended() -> None:
    one = gate()
    one.process(np.concatenate([tone(0.4), silence(0.2)]))
    assert one.flush()[-1] == Closed(6400)


def test_flushing_a_closed_gate_keeps_its_pre_roll() -> None:
    one = gate()
    one.process(silence(1.0))
    assert one.flush() == []
    assert joined(one.process(tone(0.2)))[1][0] == 16_000 - 300 * MS  # type: ignore[index]


def test_a_short_gap_is_silence() -> None:
    one, other = gate(), gate()
    audio = tone(0.5)
    items = [*one.process(audio), *one.skip(3333), *one.process(audio)]
    filled = np.concatenate([audio, np.zeros(3333, np.float32), audio])
    assert joined(items) == joined(other.process(filled))


def test_a_long_gap_moves_positions_and_ends_the_utterance() -> None:
    one = gate()
    one.process(tone(0.5))
    assert one.skip(100_000)[-1] == Closed(8000)
    assert joined(one.process(tone(0.2)))[0] == Opened(108_000)


def test_no_pre_roll_reaches_over_a_long_gap() -> None:
    one = gate()
    one.process(silence(1.0))
    assert one.skip(100_000) == []
    opened, speech = joined(one.process(tone(0.2)))
    assert opened == Opened(116_000)
    assert speech[0] == 116_000  # type: ignore[index]


@pytest.mark.parametrize("one", [gate(endpoint_ms=2000), OpenGate()])
def test_a_gap_is_long_when_it_is_over_a_second(one: Gate) -> None:
    one.process(tone(0.5))
    assert not any(isinstance(item, Closed) for item in one.skip(16_000))
    assert isinstance(one.skip(16_001)[-1], Closed)


def test_reset_forgets_the_open_utterance() -> None:
    one = gate()
    one.process(tone(0.5))
    one.reset()
    assert one.flush() == []
    assert joined(one.process(tone(0.2)))[:1] == [Opened(8000)]


def test_positions_go_on_over_what_a_reset_forgot() -> None:
    one = gate()
    one.process(tone(0.5)[:7777])
    one.reset()
    assert joined(one.process(tone(0.2)))[:1] == [Opened(7777)]


def test_reset_lets_the_detector_forget_a_loud_voice() -> None:
    loud = voice(2.0)
    quiet = np.concatenate([noise(0.5, 1e-4), loud * np.float32(10 ** (-35 / 20))])
    one = VadGate(WebRtcVad())
    one.process(loud)
    one.reset()
    assert one.process(quiet)[0] == Opened(pytest.approx(len(loud) + 8000, abs=100 * MS))


def test_a_gate_holds_no_more_than_pre_roll_and_window() -> None:
    one = gate()
    for _ in range(100):
        one.process(silence(0.73))
    assert len(one._held) < (300 + 120) * MS
    one.process(tone(5.0))
    assert len(one._held) < VAD_FRAME
    assert one._held.base is None, "a slice would keep the whole block alive"


def test_an_open_gate_passes_everything() -> None:
    one = OpenGate()
    audio = silence(0.5)
    items = [*one.process(audio), *one.process(audio[:0]), *one.process(audio), *one.flush()]
    assert joined(items) == [Opened(0), (0, np.tile(audio, 2).tobytes()), Closed(16_000)]
    assert one.flush() == []
    assert one.skip(500) == []
    assert joined(one.process(audio))[0] == Opened(16_500)
    assert joined(one.skip(160)) == [(24_500, bytes(640))]
    assert one.skip(20_000) == [Closed(24_660)]
    assert joined(one.process(audio))[0] == Opened(44_660)
    one.reset()
    assert one.flush() == []


def test_an_open_gate_copies_what_its_caller_may_overwrite() -> None:
    audio = tone(0.1)
    _, speech = OpenGate().process(audio)
    audio[:] = 0
    assert isinstance(speech, Speech)
    assert speech.samples.any()


# ---- the detector ----


@pytest.mark.parametrize("level", [0.0, 1e-5, 1.5e-4])
def test_digital_silence_and_dither_never_open_the_gate(level: float) -> None:
    one = VadGate(WebRtcVad())
    assert one.process(noise(20.0, level)) == []


def test_silence_after_speech_and_steady_noise_do_not_open_it_again() -> None:
    one = VadGate(WebRtcVad())
    audio = np.concatenate([noise(1.0, 1e-3), voice(2.0), noise(10.0, 1e-3), silence(10.0)])
    items = joined(one.process(audio))
    assert [type(item) for item in items] == [Opened, tuple, Closed]


@pytest.mark.parametrize("gain_db", [0, -20, -30, -40])
def test_a_voice_is_heard_at_any_recording_level(gain_db: int) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    audio = np.concatenate([noise(1.0, 5e-4), voice(2.0), noise(1.0, 5e-4)]) * gain
    items = joined(VadGate(WebRtcVad()).process(audio))
    assert [type(item) for item in items] == [Opened, tuple, Closed]
    opened, _, closed = items
    assert isinstance(opened, Opened)
    assert isinstance(closed, Closed)
    assert opened.at == pytest.approx(16_000, abs=100 * MS)
    assert closed.at == pytest.approx(48_000, abs=150 * MS)


def test_a_voice_too_faint_for_any_microphone_is_none() -> None:
    audio = np.concatenate([silence(1.0), voice(2.0) * np.float32(10 ** (-55 / 20)), silence(1.0)])
    assert VadGate(WebRtcVad()).process(audio) == []


LEVELS = {
    "click": np.where(np.arange(400) % 2, 0.8, -0.8).astype(np.float32),
    "loud voice": voice(2.0),
}


@pytest.mark.parametrize(("before", "pause_s"), [("click", 0.5), ("loud voice", 20.0)])
def test_a_quiet_voice_is_heard_soon_after_a_click_and_later_after_a_loud_one(
    before: str, pause_s: float
) -> None:
    first = np.concatenate([noise(1.0, 1e-4), LEVELS[before], noise(pause_s, 1e-4)])
    quiet = np.concatenate([voice(2.0) * np.float32(10 ** (-35 / 20)), noise(1.0, 1e-4)])
    one = VadGate(WebRtcVad())
    one.process(first)
    opened, _, closed = joined(one.process(quiet))
    assert opened == Opened(pytest.approx(len(first), abs=100 * MS))
    assert closed == Closed(pytest.approx(len(first) + 32_000, abs=150 * MS))


def test_a_voice_is_heard_though_it_began_before_we_listened() -> None:
    audio = np.concatenate([voice(2.0)[4000:], noise(1.0, 5e-4)])
    assert VadGate(WebRtcVad()).process(audio)[0] == Opened(0)


def test_reset_gives_the_detector_a_fresh_start() -> None:
    audio = np.concatenate([noise(0.5, 1e-3), voice(1.0), noise(1.0, 0.05)])
    vad = WebRtcVad()
    frames = audio.reshape(-1, VAD_FRAME)
    first = [vad.is_speech(frame) for frame in frames]
    vad.reset()
    assert [vad.is_speech(frame) for frame in frames] == first
    assert any(first)


@pytest.mark.parametrize("seed", range(3))
def test_the_detector_too_is_deaf_to_cuts(seed: int) -> None:
    audio = np.concatenate([noise(0.5, 1e-3), voice(1.5, seed), noise(1.0, 1e-3)])
    one, other = VadGate(WebRtcVad()), VadGate(WebRtcVad())
    items = [item for block in cuts(audio, Random(seed)) for item in other.process(block)]
    assert joined(items) == joined(one.process(audio))


@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("endpoint_ms", "limit_ms"), [(400, 550), (200, 330)])
def test_real_speech_passes_and_the_gate_closes_in_time(
    clip: Path, endpoint_ms: int, limit_ms: int
) -> None:
    speech, _ = soundfile.read(clip, dtype="float32")
    loud = np.flatnonzero(np.abs(speech) > 0.1 * np.abs(speech).max())
    audio = np.concatenate([noise(1.0, 3e-4), speech, noise(1.0, 3e-4)])
    passed = np.zeros(len(audio), bool)
    one = VadGate(WebRtcVad(), endpoint_ms=endpoint_ms)
    closed_after = 0
    for end in range(VAD_FRAME, len(audio) + 1, VAD_FRAME):
        for item in one.process(audio[end - VAD_FRAME : end]):
            if isinstance(item, Speech):
                passed[item.at : item.at + len(item.samples)] = True
            closed_after = end if isinstance(item, Closed) else closed_after
    assert passed[16_000 + loud].all()
    assert one.flush() == []
    assert (closed_after - 16_000 - loud[-1]) / MS < limit_ms
