import io
import json
import os
import signal
from collections.abc import Iterable

import numpy as np
import pytest

from streamasr.app.listening import Listener, stop_on_signals
from streamasr.app.live import Display
from streamasr.core.audio import Samples
from streamasr.core.recognizer import Recognizer
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from tests.app.test_live import Screen
from tests.fakes import ScriptedEngine, silence, texts, voice

SPEECH = np.concatenate([voice(1.0, seed=1), silence(1.0), voice(1.0, seed=2)])


def blocks(samples: Samples) -> Iterable[Item]:
    return [Heard(samples[at : at + 320]) for at in range(0, len(samples), 320)]


def expected(samples: Samples = SPEECH) -> list[str]:
    with Recognizer(ScriptedEngine()).stream() as stream:
        return texts(stream.accept(samples) + stream.finish())


def listen(items: Iterable[Item], *, json: bool = False, partial_lines: bool = False) -> list[str]:
    """The lines on standard output, where nothing is a terminal."""
    out = io.StringIO()
    display = Display(out, io.StringIO())
    Listener(ScriptedEngine(), display, json=json, partial_lines=partial_lines).run(items)
    return out.getvalue().splitlines()


def test_each_utterance_is_a_line_and_the_open_one_is_finished() -> None:
    assert listen(blocks(SPEECH)) == expected()
    assert len(expected()) == 2


def test_partials_grow_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    Listener(ScriptedEngine(), Display(screen, screen)).run(blocks(SPEECH))
    assert screen.lines == [*expected(), ""]
    assert screen.getvalue().count("\r") > 10


def test_json_lines_are_the_events_of_the_native_protocol() -> None:
    records = [json.loads(line) for line in listen(blocks(SPEECH), json=True)]
    kinds = [record["type"] for record in records]
    assert kinds == ["speech_started", "final", "speech_ended"] * 2
    assert [r["text"] for r in records if r["type"] == "final"] == expected()


def test_json_holds_partials_where_they_are_asked_for() -> None:
    records = [json.loads(line) for line in listen(blocks(SPEECH), json=True, partial_lines=True)]
    partials = [record["text"] for record in records if record["type"] == "partial"]
    assert len(partials) > 3
    assert partials[0] == expected()[0][: len(partials[0])]


def test_lost_audio_is_a_gap_in_the_positions() -> None:
    items = [*blocks(silence(1.0)), Lost(16_000), *blocks(voice(1.0, seed=1))]
    records = [json.loads(line) for line in listen(items, json=True)]
    (gap,) = [record for record in records if record["type"] == "gap"]
    assert (gap["at"], gap["samples"]) == (16_000, 16_000)
    (final,) = [record for record in records if record["type"] == "final"]
    assert final["start"] >= 32_000


def test_a_stall_ends_the_open_utterance_and_is_told() -> None:
    out, err = io.StringIO(), io.StringIO()
    items = [*blocks(voice(1.0, seed=1)), Stalled("usb")]
    printed: list[str] = []

    def then() -> Iterable[Item]:
        yield from items
        printed.append(out.getvalue())
        yield Resumed("usb")

    Listener(ScriptedEngine(), Display(out, err)).run(then())
    assert printed[0].splitlines() == expected(voice(1.0, seed=1)), "before it resumed"
    assert err.getvalue().splitlines() == [
        "streamasr: usb gives no audio; waiting for it to return",
        "streamasr: listening again, to usb",
    ]


def test_a_muted_microphone_is_told() -> None:
    err = io.StringIO()
    Listener(ScriptedEngine(), Display(io.StringIO(), err)).run(blocks(silence(5.0)))
    assert "digital silence" in err.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_in_order_and_the_second_at_once(number: signal.Signals) -> None:
    stops = []
    seen = []
    before = signal.signal(number, lambda *_: seen.append("second"))
    try:
        with stop_on_signals(lambda: stops.append(1)):
            os.kill(os.getpid(), number)
            assert (stops, seen) == ([1], [])
            os.kill(os.getpid(), number)
            assert (stops, seen) == ([1], ["second"])
        os.kill(os.getpid(), number)
        assert seen == ["second"] * 2
    finally:
        signal.signal(number, before)
