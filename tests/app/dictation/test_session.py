"""A whole dictation but for devices: a scripted engine, audio from a list, paper for a window."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import pytest

from streamasr.app.dictation.board import Board
from streamasr.app.dictation.session import Changed, Dictation
from streamasr.app.dictation.settings import Mode, Settings
from streamasr.app.dictation.writer import Writer
from streamasr.core.audio import Samples
from streamasr.core.dictation.style import Punctuation, Style
from streamasr.core.recognizer import Recognizer
from streamasr.edge.dictation.display import Window
from streamasr.edge.dictation.hand import Hand
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from streamasr.errors import ConfigError, DeviceError
from tests.desktop import until
from tests.edge.dictation.test_hand import Paper
from tests.fakes import ScriptedEngine, silence, texts, voice

ONE, TWO = voice(1.0, seed=1), voice(1.0, seed=2)
PAUSE = silence(1.0)
PLAIN = Style(punctuation=Punctuation.NONE, commands=False, capitals=False)


class Room:
    """Microphones that hear what the test says, in the order that it says it."""

    name = "room"

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.opened = 0
        self.closed = 0
        self.broken = False

    def __call__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        if self.broken:
            raise DeviceError("no microphone found")
        self.opened += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.closed += 1

    def items(self) -> Iterator[Item]:
        while (item := self.said.get()) is not None:
            yield item

    def stop(self) -> None:
        self.said.put(None)

    def say(self, samples: Samples) -> None:
        for at in range(0, len(samples), 320):
            self.said.put(Heard(samples[at : at + 320]))


class Desk:
    """All the parts of a dictation."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(style=PLAIN, **settings)
        self.paper, self.room = Paper(), Room()
        self.told: list[str] = []
        self.notes: list[str] = []
        self.board = Board(self._publish)
        self.hand = Hand(self.paper, told=lambda doing: self.board.show(hand=doing.value),
                         failed=lambda error: self.dictation.broke(error))  # fmt: skip
        self.writer = Writer(self.settings, self.paper, self.hand, lambda _: self.paper)
        self.changes: Callable[[], Settings] = lambda: self.settings
        self.dictation = Dictation(
            ScriptedEngine(), self.settings, self.writer, self.room, self.board,
            reload=self._changed,
        )  # fmt: skip
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _changed(self) -> Changed:
        settings = self.changes()
        self.writer.change(settings, None)
        return Changed(settings, None, None)

    def _publish(self, status: dict[str, Any]) -> None:
        self.told.append(status["alt"])
        if note := status.get("note"):
            self.notes.append(note)

    def _run(self) -> None:
        try:
            self.dictation.run()
        except DeviceError as error:
            self.error = error

    def act(self, word: str) -> dict[str, Any]:
        return self.dictation.act(word)

    def end(self) -> str:
        """End it in order; what was typed into the window a."""
        self.dictation.quit()
        self.join()
        return self.paper.texts["a"]

    def join(self) -> None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        assert self.hand.finish(20) == 0


def expected(*parts: Samples) -> str:
    """What the same audio is without a desk: finals with spaces between."""
    with Recognizer(ScriptedEngine()).stream() as stream:
        events = [event for part in parts for event in stream.accept(part)]
        return " ".join(texts(events + stream.finish()))


def test_hands_free_it_types_utterance_after_utterance() -> None:
    desk = Desk()
    for part in (ONE, PAUSE, TWO):
        desk.room.say(part)
    assert desk.end() == expected(ONE, PAUSE, TWO)
    assert desk.room.closed == 1
    assert desk.told[0] == "idle"
    assert desk.told[-1] == "idle"


def test_push_to_talk_opens_the_microphone_only_while_it_is_pushed() -> None:
    desk = Desk(mode=Mode.PUSH, tail_ms=0)
    assert desk.act("status")["status"]["alt"] == "idle"
    assert desk.room.opened == 0
    assert desk.act("start")["status"]["alt"] == "listening"
    assert desk.room.opened == 1
    desk.room.say(ONE)
    desk.act("stop")
    until(lambda: desk.room.closed == 1, "the microphone stays open")
    desk.act("toggle")
    desk.room.say(PAUSE)
    desk.room.say(TWO)
    desk.act("toggle")
    until(lambda: desk.room.closed == 2, "the microphone stays open")
    assert desk.end() == f"{expected(ONE)} {expected(PAUSE, TWO)}"


def test_the_tail_after_stop_is_still_heard() -> None:
    desk = Desk(mode=Mode.PUSH, tail_ms=500)
    desk.act("start")
    desk.act("stop")
    desk.room.say(ONE)
    until(lambda: desk.room.closed == 1, "the microphone stays open")
    assert desk.end() == expected(ONE)[: len(desk.paper.texts["a"])]
    assert desk.paper.texts["a"]


def test_once_it_types_one_utterance_and_leaves() -> None:
    desk = Desk(mode=Mode.ONCE)
    for part in (ONE, PAUSE):
        desk.room.say(part)
    desk.join()
    assert desk.paper.texts["a"] == expected(ONE, PAUSE)
    assert desk.room.closed == 1


def test_cancel_takes_back_what_is_being_said() -> None:
    desk = Desk(hold_back=0)
    desk.room.say(ONE)
    until(lambda: desk.paper.texts["a"] != "", "nothing is typed")
    desk.act("cancel")
    until(lambda: desk.board.status["alt"] == "idle", "it goes on")
    until(lambda: desk.room.closed == 1, "the microphone stays open")
    assert desk.end() == ""


def test_a_second_start_and_a_second_stop_change_nothing() -> None:
    desk = Desk(mode=Mode.PUSH, tail_ms=0)
    for word in ("start", "start", "stop", "stop", "cancel", "cancel"):
        assert desk.act(word)["ok"]
    assert desk.end() == ""
    assert desk.room.opened == 1


def test_a_microphone_that_does_not_open_is_told_to_who_asked() -> None:
    desk = Desk(mode=Mode.PUSH)
    desk.room.broken = True
    assert desk.act("start") == {"ok": False, "error": "no microphone found", "remedy": ""}
    desk.room.broken = False
    assert desk.act("start")["ok"]
    assert desk.end() == ""


def test_words_that_are_no_commands_are_refused() -> None:
    desk = Desk(mode=Mode.PUSH)
    answer = desk.act("dance")
    assert not answer["ok"]
    assert "toggle" in answer["remedy"]
    desk.end()


def test_a_microphone_that_stalls_ends_the_utterance_and_is_told() -> None:
    desk = Desk()
    desk.room.say(ONE)
    for item in (Stalled("room"), Resumed("room"), Lost(16_000)):
        desk.room.said.put(item)
    desk.room.say(TWO)
    until(lambda: "listening again, to room" in desk.notes, "nothing is told")
    assert "stalled" in desk.told
    assert desk.end().startswith(expected(ONE))


def test_stop_ends_even_while_the_microphone_is_stalled() -> None:
    desk = Desk()
    desk.room.said.put(Stalled("room"))
    until(lambda: "stalled" in desk.told, "nothing is told")
    desk.act("stop")
    until(lambda: desk.board.status["alt"] == "idle", "it goes on")
    assert desk.end() == ""


def test_a_keyboard_that_fails_ends_the_dictation() -> None:
    desk = Desk()
    desk.paper.broken = True
    desk.room.say(ONE)
    desk.room.say(PAUSE)
    desk._thread.join(timeout=30)
    assert isinstance(desk.error, DeviceError)


def test_an_utterance_goes_to_the_window_that_had_the_focus_when_it_began() -> None:
    desk = Desk()
    desk.room.say(ONE)
    desk.room.say(PAUSE)
    first = expected(ONE, PAUSE)
    until(lambda: desk.paper.texts["a"] == first, "not typed")
    until(lambda: desk.board.status["alt"] == "listening", "the utterance does not end")
    desk.paper.focus = Window("b")
    desk.room.say(TWO)
    desk.room.say(PAUSE)
    until(lambda: desk.paper.texts["b"] != "", "not typed")
    desk.act("stop")
    desk.end()
    assert desk.paper.texts["a"] == first
    assert desk.paper.texts["b"] == expected(ONE, PAUSE, TWO, PAUSE).removeprefix(first).strip()


def test_start_releases_what_waits_for_its_window() -> None:
    desk = Desk(hold_back=0)
    desk.room.say(ONE[:8000])
    until(lambda: desk.paper.texts["a"] != "", "nothing is typed")
    desk.paper.focus = Window("b")
    desk.room.say(ONE[8000:])
    desk.room.say(PAUSE)
    until(lambda: desk.board.status["alt"] == "holding", "not held")
    assert desk.paper.texts["b"] == ""
    desk.act("start")
    until(lambda: desk.board.status["alt"] != "holding", "not released")
    desk.act("stop")
    desk.end()
    assert desk.paper.texts["a"] + desk.paper.texts["b"] == expected(ONE, PAUSE)


def test_changed_settings_hold_from_the_next_utterance_on() -> None:
    desk = Desk(hold_back=0)
    loud = Settings(style=replace(PLAIN, capitals=True), hold_back=0)
    desk.changes = lambda: loud
    desk.room.say(ONE)
    until(lambda: desk.paper.texts["a"] != "", "nothing is typed")
    assert desk.act("reload")["ok"]
    desk.room.say(PAUSE)
    first = expected(ONE, PAUSE)
    until(lambda: desk.paper.texts["a"] == first, "the open utterance is not as it began")
    until(lambda: desk.board.status["alt"] == "listening", "the utterance does not end")
    for part in (TWO, PAUSE):
        desk.room.say(part)
    until(lambda: len(desk.paper.texts["a"]) > len(first), "not typed")
    whole = expected(ONE, PAUSE, TWO, PAUSE)
    typed = desk.end()
    assert typed.lower() == whole.lower()
    assert typed != whole


def test_broken_settings_are_refused_and_the_old_ones_stay() -> None:
    desk = Desk(mode=Mode.PUSH)

    def broken() -> Settings:
        raise ConfigError("dictation.hold_back must lie in 0..10, got 99")

    desk.changes = broken
    answer = desk.act("reload")
    assert not answer["ok"]
    assert "must lie in 0..10" in answer["error"]
    desk.dictation.hang_up()
    until(lambda: any("stay as they were" in note for note in desk.notes), "nothing is told")
    assert desk.act("start")["ok"]
    assert desk.end() == ""


@pytest.mark.parametrize("held", [0, 1, 3])
def test_whatever_is_held_back_the_final_text_is_whole(held: int) -> None:
    desk = Desk(hold_back=held)
    for part in (ONE, PAUSE, TWO, PAUSE):
        desk.room.say(part)
    assert desk.end() == expected(ONE, PAUSE, TWO, PAUSE)
