import io
from typing import Any

import numpy as np
import pytest

from streamasr.app.dictation.board import BARS, ICONS, MEANINGS, Board, bar, level_db
from streamasr.app.live import Display
from tests.app.test_live import Screen


def test_statuses_are_what_a_status_bar_takes() -> None:
    told: list[dict[str, Any]] = []
    board = Board(told.append, facts={"mode": "push"})
    board.show(state="listening", microphone="usb")
    board.show(hand="holding")
    board.show(hand="resting")
    assert [status["alt"] for status in told] == ["idle", "listening", "holding", "listening"]
    last = told[-1]
    assert last["class"] == last["alt"]
    assert (last["mode"], last["microphone"]) == ("push", "usb")
    assert {"text", "tooltip"} <= set(last)


def test_what_was_said_is_never_in_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    told: list[dict[str, Any]] = []
    screen = Screen()
    board = Board(told.append, Display(io.StringIO(), screen))
    board.show(state="speaking")
    board.text("my secret")
    board.show(state="listening")
    assert "my secret" in screen.getvalue()
    assert "secret" not in str(told)


def test_the_meter_rises_with_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert bar(-90) == BARS[0]
    assert bar(0) == BARS[-1]
    assert level_db(np.full(100, 0.1, np.float32)) == pytest.approx(-20)
    assert level_db(np.zeros(100, np.float32)) == -np.inf
    assert level_db(np.zeros(0, np.float32)) == -np.inf
    screen = Screen()
    board = Board(lambda _: None, Display(io.StringIO(), screen))
    board.show(state="listening")
    board.level(np.full(3200, 0.4, np.float32))
    assert BARS[-1] in screen.getvalue()


def test_every_state_has_a_sign_and_a_meaning() -> None:
    assert set(ICONS) == set(MEANINGS)
    assert len(set(ICONS.values())) == len(ICONS)
