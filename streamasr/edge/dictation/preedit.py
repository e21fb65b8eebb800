"""Typing by IBus: what may still change is shown as open text, what is settled is committed.

    typist = PreeditTypist(Engine.connect(address))
    typist.write(Edit(0, "naïve 🙂"))      # underlined, and no key was pressed
    typist.settle()

Any letter, whatever the layout. The input method that was in use gets the keys back when
nothing was written for a while.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from streamasr.core.dictation.composition import Act, Break, Commit, Composition, Erase, Show
from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.ibus import Engine
from streamasr.errors import DeviceError

QUIET_S = 3.0


class PreeditTypist:
    """Writes into the text field that has the focus; raises DeviceError when IBus is gone."""

    name = "ibus"
    corrects = True

    def __init__(self, engine: Engine, *, quiet_s: float = QUIET_S) -> None:
        """``engine`` is closed at the end; ``quiet_s`` without text, and it is given back."""
        self._engine, self._quiet_s = engine, quiet_s
        self._composition = Composition()
        self._turn = threading.Lock()  # of what is open
        self._switching = threading.Lock()  # of the input method
        self._timer: threading.Timer | None = None
        engine.left, engine.keyed = self._left, self._commit

    def is_ready(self) -> bool:
        """Become the input method; whether a text field has the focus."""
        self._stay()
        with self._switching:
            return self._engine.take()

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> None:
        with self._turn:
            self._do(self._composition.write(edit, soft_breaks=soft_breaks))

    def settle(self) -> None:
        self._commit()
        self._stay()
        self._timer = threading.Timer(self._quiet_s, self._rest)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        self._stay()
        with suppress(DeviceError):
            self._commit()
            with self._switching:
                self._engine.give_back()
        self._engine.close()

    def _do(self, acts: list[Act]) -> None:
        for act in acts:
            match act:
                case Show(text):
                    self._engine.show(text)
                case Commit(text):
                    self._engine.commit(text)
                case Erase(count):
                    self._engine.erase(count)
                case Break(soft):
                    self._engine.press_return(shift=soft)

    def _commit(self) -> None:
        with self._turn:
            self._do(self._composition.settle())

    def _left(self) -> None:
        with self._turn:
            self._composition.committed()

    def _stay(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _rest(self) -> None:
        """Nothing was written for a while."""
        with self._switching, suppress(DeviceError):
            if not self._composition.is_open:
                self._engine.give_back()
