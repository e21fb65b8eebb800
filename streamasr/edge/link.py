"""What a worker and its supervisor hold of each other, and what the worker says.

A pipe between them carries pairs: a word, and what belongs to it. The supervisor says
``prepare`` with settings, then ``adopt`` or ``discard``.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from streamasr.edge.listening import Given
from streamasr.edge.tally import Tally
from streamasr.edge.watchdog import SIGNS, USUAL_S

READY, ALIVE, PREPARED = "ready", "alive", "prepared"
"""What a worker says."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a worker holds of its supervisor; it travels to the new process."""

    number: int
    """Counts from 0."""
    pipe: Connection
    """Says ready to the supervisor; at its end when the supervisor is gone."""
    tally: Tally
    given: Given = field(default_factory=Given)
    """Sockets to serve on in place of its own; all workers accept from the same."""
    beat_s: float = USUAL_S / SIGNS
    """Between signs of life."""
    secret_key: bytes = b""
    """Of all workers, so that one accepts the secrets that another gave out."""

    def ready(self) -> None:
        """This worker takes sessions."""
        with contextlib.suppress(OSError):
            self.pipe.send((READY, ""))

    def prepared(self, problem: str) -> None:
        """This worker is ready for the settings that it was told, or has a problem with them."""
        with contextlib.suppress(OSError):
            self.pipe.send((PREPARED, problem))

    def beat(self) -> None:
        """This worker is not stuck."""
        with contextlib.suppress(OSError):
            self.pipe.send((ALIVE, ""))
