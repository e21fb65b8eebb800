"""A thread that types: what should stand in the window, by the smallest corrections.

    hand = Hand(focus, told=print)
    hand.show(Target(page=0, window="x11:400007", base=0, text="Hello wor"), Manner(typist))
    hand.show(Target(page=0, window="x11:400007", base=0, text="Hello world"), Manner(typist))
    hand.finish(timeout_s=5)

It works towards the newest target: those that come while it types replace each other. It
looks at the focus before every few letters, and where that is elsewhere it holds on to the
text until the window has it again, or `release` says that the rest may go where it is now.

| queue | bound | when full |
| --- | --- | --- |
| targets | the newest of each page; pages come one an utterance | a page follows the one before |
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from streamasr.core.dictation.edits import Edit, Target, smallest_edit
from streamasr.edge.dictation.display import Window
from streamasr.edge.dictation.focus import Focus
from streamasr.edge.dictation.typist import Typist
from streamasr.errors import StreamasrError

log = logging.getLogger(__name__)

CHUNK = 20
"""Letters between two looks at the focus."""
LOOK_S = 0.25
"""Between two looks while the focus is elsewhere."""
KEY_S = 0.02
"""Between two looks while a modifier is held."""


class Doing(StrEnum):
    """What the hand is at."""

    RESTING = "resting"
    TYPING = "typing"
    HOLDING = "holding"
    """The focus is elsewhere, and text waits."""
    WAITING = "waiting"
    """A modifier is held."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a page is typed."""

    typist: Typist
    soft_breaks: bool = False


class Hand:
    """Types targets, one page after the other."""

    def __init__(
        self,
        focus: Focus,
        *,
        told: Callable[[Doing], None] = lambda _: None,
        failed: Callable[[StreamasrError], None] = lambda _: None,
        follows: bool = False,
    ) -> None:
        """``told`` hears of changes and ``failed`` of the end, both in the hand's thread.

        With ``follows`` text goes where the focus is, whatever it was meant for.
        """
        self._focus = focus
        self._told, self._failed, self._follows = told, failed, follows
        self._turn = threading.Condition()
        self._targets: deque[tuple[Target, Manner]] = deque()
        self._doing = Doing.RESTING
        self._closing = False
        self._released = False
        self._broken = False
        # known to the thread only:
        self._page, self._base, self._typed, self._floor = -1, 0, "", 0
        self._into = ""  # the window that what was typed stands in
        self._thread = threading.Thread(target=self._run, name="dictation hand", daemon=True)
        self._thread.start()

    @property
    def doing(self) -> Doing:
        return self._doing

    def show(self, target: Target, manner: Manner) -> None:
        """Work towards a target from now on."""
        with self._turn:
            last = self._targets[-1][0] if self._targets else None
            if last and (last.page, last.base) == (target.page, target.base):
                self._targets[-1] = target, manner
            else:
                self._targets.append((target, manner))
            self._turn.notify_all()

    def release(self) -> None:
        """Let text that waits for its window go into the one that has the focus."""
        with self._turn:
            self._released = self._doing is Doing.HOLDING
            self._turn.notify_all()

    def drop(self) -> int:
        """Forget what was not typed; how many characters that were."""
        with self._turn:
            left = self._left()
            self._targets.clear()
            self._turn.notify_all()
        return left

    def finish(self, timeout_s: float) -> int:
        """Wait until all is typed, then end; how many characters were left over."""
        deadline = time.monotonic() + timeout_s
        with self._turn:
            while self._targets and not self._broken:
                rest_s = deadline - time.monotonic()
                if rest_s <= 0 or self._doing is Doing.HOLDING:
                    break
                self._turn.wait(min(rest_s, LOOK_S))
            left = self._left()
            self._closing = True
            self._turn.notify_all()
        self._thread.join(timeout=timeout_s)
        return left

    def _left(self) -> int:
        return sum(len(smallest_edit(self._standing(t), t.text).text) for t, _ in self._targets)

    def _standing(self, target: Target) -> str:
        same = (target.page, target.base) == (self._page, self._base)
        return self._typed if same else ""

    # The thread

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except StreamasrError as error:
            self._broken = True
            self._failed(error)
        except Exception as error:
            log.exception("typing failed")
            self._broken = True
            self._failed(StreamasrError(f"typing failed: {type(error).__name__}"))

    def _step(self) -> bool:
        """Type some letters, or wait for something to do; False at the end."""
        with self._turn:
            while not self._closing and not self._targets:
                self._turn.wait()
            if self._closing:
                return False
            target, manner = self._targets[0]
        self._turn_to(target)
        self._overlook(target)
        edit = smallest_edit(self._typed, target.text)
        if edit.is_empty:
            self._typed = target.text
            if not target.is_open:
                manner.typist.settle()
            self._done(target)
            return True
        where = self._focus.window()
        if target.window and where.name != self._into:
            self._move(where)
        elif not manner.typist.is_ready():
            self._wait(Doing.WAITING, KEY_S)
        else:
            self._tell(Doing.TYPING)
            self._write(edit, manner)
        return True

    def _turn_to(self, target: Target) -> None:
        if target.page != self._page:
            self._typed, self._floor = "", 0
            self._into = target.window
            self._released = False
        elif target.base > self._base:
            settled = target.base - self._base
            self._typed = self._typed[settled:]
            self._floor = max(0, self._floor - settled)
        self._page, self._base = target.page, target.base

    def _move(self, where: Window) -> None:
        """The focus is elsewhere: wait, or go on there and leave what was typed alone."""
        if not (self._follows or self._released):
            self._wait(Doing.HOLDING, LOOK_S)
            return
        self._released = False
        self._into = where.name
        self._floor = len(self._typed)

    def _write(self, edit: Edit, manner: Manner) -> None:
        erase = min(edit.erase, CHUNK)
        # what does not correct, pastes or prints: that goes in one piece
        most = CHUNK if manner.typist.corrects else len(edit.text)
        text = edit.text[:most] if erase == edit.erase else ""
        manner.typist.write(Edit(erase, text), soft_breaks=manner.soft_breaks)
        self._typed = self._typed[: len(self._typed) - erase] + text

    def _overlook(self, target: Target) -> None:
        """Take what cannot be reached any more for what it should be."""
        if self._floor:
            head = target.text[: self._floor]
            self._typed = head + self._typed[self._floor :]
            self._floor = len(head)

    def _done(self, target: Target) -> None:
        with self._turn:
            if self._targets and self._targets[0][0] is target:
                self._targets.popleft()
            if not self._targets:
                self._tell(Doing.RESTING)
            self._turn.notify_all()

    def _wait(self, doing: Doing, seconds: float) -> None:
        self._tell(doing)
        with self._turn:
            if not self._closing and not self._released:
                self._turn.wait(seconds)

    def _tell(self, doing: Doing) -> None:
        if doing is not self._doing:
            self._doing = doing
            self._told(doing)
